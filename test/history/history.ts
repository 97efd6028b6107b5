import type { Outcome } from './node-process.ts';

/** A numbered message, as its writer knows it. Times are those of `performance.now()`. */
export interface Sent {
	/** One life of one node, or one call of a tool. */
	readonly writer: string;
	readonly n: number;
	/** Names of the clients it is for; `null`: all. */
	readonly to: readonly string[] | null;
	readonly sentAt: number;
	outcome: Outcome;
}

/** What a client was handed, in the order in which it was. */
export type Received =
	| {
			readonly at: number;
			readonly type: 'message';
			readonly writer: string;
			readonly n: number;
			readonly to: readonly string[] | null;
	  }
	/** One part of the notice to read again: a list, or the resource that the client subscribed to. */
	| { readonly at: number; readonly type: 'reread'; readonly what: string };

/** All that one client can say. */
export interface ClientHistory {
	readonly name: string;
	/** When it knew that its session was there: it is promised all that was sent later. */
	readonly begunAt: number;
	/** When it got its first event id; `undefined`: never. */
	readonly attachedAt: number | undefined;
	/** Whether it had no event id to come back with: what it was handed before the first one, nobody can tell. */
	readonly firstAttemptFailed: boolean;
	/** Whether the store lost its session. */
	readonly lostSession: boolean;
	readonly received: readonly Received[];
}

export interface Violation {
	readonly client: string;
	readonly type:
		| 'duplicate'
		| 'disorder'
		| 'foreign'
		| 'gap'
		| 'session lost'
		| 'stuck'
		| 'crash'
		| 'old connection open';
	readonly detail: string;
}

/** What a whole notice to read again consists of. */
export const REREAD_PARTS: readonly string[] = ['tools', 'resources', 'subscription'];

/** What is told of a history beside its violations. */
export interface Counts {
	/** Messages that a client did not get and was told to read again for. */
	noticed: number;
}

/**
 * Judges what one client received by what was sent. `mayLose`: the store may have lost what it took, or keeps too
 * little, so that a message may be missing if the notice to read again came after it.
 */
export function check(client: ClientHistory, sent: readonly Sent[], mayLose: boolean, counts: Counts): Violation[] {
	const violations: Violation[] = [];
	const complain = (type: Violation['type'], detail: string) => violations.push({ client: client.name, type, detail });
	if (client.lostSession) {
		if (!mayLose) complain('session lost', 'answered 404');
		return violations;
	}

	const seen = new Set<string>();
	/** The last number by writer and log: what is sent to one and what is sent to all are two logs. */
	const last = new Map<string, number>();
	for (const event of client.received) {
		if (event.type !== 'message') continue;
		const key = `${event.writer}:${event.n}`;
		if (event.to !== null && !event.to.includes(client.name)) complain('foreign', `${key} was for ${event.to}`);
		if (seen.has(key)) complain('duplicate', key);
		else {
			const log = `${event.writer} ${event.to === null ? 'all' : 'one'}`;
			const before = last.get(log) ?? 0;
			if (event.n < before) complain('disorder', `${key} came after ${event.writer}:${before}`);
			last.set(log, Math.max(before, event.n));
		}
		seen.add(key);
	}

	const from = client.firstAttemptFailed ? (client.attachedAt ?? Number.POSITIVE_INFINITY) : client.begunAt;
	for (const { writer, n, to, sentAt, outcome } of sent) {
		if (outcome !== 'taken' || seen.has(`${writer}:${n}`)) continue;
		if (to !== null && !to.includes(client.name)) continue;
		if (sentAt < from) continue;
		// A client may be told of the loss before the writer knows that its message was taken at all.
		const told = REREAD_PARTS.every((part) =>
			client.received.some((event) => event.type === 'reread' && event.what === part && event.at >= sentAt),
		);
		if (mayLose && told) counts.noticed++;
		else
			complain('gap', `${writer}:${n} (${to === null ? 'to all' : 'to one'}) is missing${told ? ', with notice' : ''}`);
	}
	return violations;
}
