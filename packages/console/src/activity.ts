import type { Clock } from '@holdfast/session-manager';
import { systemClock } from '@holdfast/session-manager/custom';
import type { ObservedEvent, Observer } from '@holdfast/transport';
import { shortHash } from './data/short-hash.js';

/** Options of {@link Activity}. */
export interface ActivityOptions {
	/**
	 * The source of time.
	 * @default the clock of the machine
	 */
	readonly clock?: Clock;
}

/** Something that happened, as the console shows it. */
export interface Happening {
	/** When, in milliseconds since the Unix epoch. */
	readonly at: number;
	readonly kind: HappeningKind;
	/** What it was in particular: a reason, a client, who did it. */
	readonly text: string;
	/** The short hash of the session. */
	readonly session?: string | undefined;
	/** The node that it happened on. */
	readonly nodeId?: string | undefined;
}

export type HappeningKind =
	| 'opened'
	| 'ended'
	| 'suspended'
	| 'restored'
	| 'takeover'
	| 'gap'
	| 'refused'
	| 'store'
	| 'audit'
	| 'node';

/** How many happenings are kept. */
const KEPT = 500;
/** How many reasons for an end are counted apart; further ones are counted together. */
const KEPT_REASONS = 50;
/** How many open streams are remembered by their session. */
const KEPT_STREAMS = 20_000;
/** The longest text that is kept of what a client or a server said, in UTF-16 units. */
const KEPT_TEXT = 200;
const MINUTE = 60_000;
/** How many minutes are counted apart. */
const KEPT_MINUTES = 15;

/** What happened within a minute. */
interface Minute {
	/** Minutes since the epoch of the monotonic clock. */
	readonly number: number;
	operations: number;
	errors: number;
}

/**
 * Remembers what happened lately on the nodes that it observes, for the pages of the console: in memory, and within
 * limits. Give it to each transport of the process as an observer, and to the console.
 *
 * @example
 * ```ts source="../test/examples/console.examples.ts#activity"
 * const activity = new Activity();
 * const transport = new HttpTransport(makeServer, { sessionManager, observe: activity });
 * ```
 */
export class Activity implements Observer {
	readonly #clock: Clock;
	readonly #happenings: Happening[] = [];
	readonly #reasons = new Map<string, number>();
	readonly #minutes: Minute[] = [];
	/** How many session streams each session has here, by its id. */
	readonly #sessionStreams = new Map<string, number>();
	readonly #streams = { session: 0, request: 0, listen: 0 };
	readonly #listeners = new Set<() => void>();

	constructor({ clock = systemClock }: ActivityOptions = {}) {
		this.#clock = clock;
	}

	/** Takes what a node tells of. */
	event(event: ObservedEvent, nodeId: string): void {
		switch (event.type) {
			case 'operation-ended':
				return this.#countOperation(event.error !== undefined && event.error !== 'cancelled');
			case 'stream-opened':
				return this.#countStream(event.kind, event.sessionId, 1);
			case 'stream-ended':
				return this.#countStream(event.kind, event.sessionId, -1);
			case 'store-call':
				if (event.error === 'unavailable')
					this.#addOnce('store', `${event.manager}.${event.method}: ${event.error}`, nodeId);
				return;
			case 'session-opened': {
				const { name, version } = event.clientInfo;
				return this.#add('opened', `${String(name)} ${String(version)}`, nodeId, event.sessionId);
			}
			case 'session-ended':
				this.#countReason(event.reason.slice(0, KEPT_TEXT));
				return this.#add('ended', event.reason, nodeId, event.sessionId);
			case 'session-suspended':
				return this.#add('suspended', '', nodeId, event.sessionId);
			case 'session-restored':
				return this.#add('restored', '', nodeId, event.sessionId);
			case 'takeover':
				return this.#add('takeover', '', nodeId, event.sessionId);
			case 'gap':
				return this.#add('gap', '', nodeId, event.sessionId);
			case 'refusal':
				return this.#addOnce('refused', `${event.reason} (${event.status})`, nodeId);
			case 'audit': {
				const { action, by = 'somebody', reason, done, sessionId, principal, data } = event;
				const what = `${by}: ${action}${data === undefined ? '' : ` ${data}`}${done ? '' : ', not done'}`;
				const whom = principal === undefined ? '' : ` of ${principal}`;
				return this.#add('audit', `${what}${whom}${reason === undefined ? '' : ` – ${reason}`}`, nodeId, sessionId);
			}
		}
	}

	/** Notes that a node came or went. */
	noteNode(nodeId: string, text: string): void {
		this.#add('node', text, nodeId);
	}

	/** What happened lately, the newest first. */
	get latest(): readonly Happening[] {
		return this.#happenings.toReversed();
	}

	/** Why sessions ended, and how many for each reason, the most frequent first. */
	get endedByReason(): readonly (readonly [reason: string, count: number])[] {
		return [...this.#reasons].sort(([, one], [, other]) => other - one);
	}

	/** The streams that are open on the nodes it observes. */
	get streams(): { readonly session: number; readonly request: number; readonly listen: number } {
		return { ...this.#streams };
	}

	/** Whether the session stream of a session is open on a node that it observes. */
	hasStream(sessionId: string): boolean {
		return this.#sessionStreams.has(sessionId);
	}

	/** Operations and errors of each of the last minutes, the oldest first; the last one is not over yet. */
	get minutes(): readonly { readonly operations: number; readonly errors: number }[] {
		const now = this.#minuteNumber();
		return Array.from({ length: KEPT_MINUTES }, (_, index) => {
			const number = now - KEPT_MINUTES + 1 + index;
			const { operations = 0, errors = 0 } = this.#minutes.find((minute) => minute.number === number) ?? {};
			return { operations, errors };
		});
	}

	/** Calls `listener` whenever something happened. Returns how to stop that. */
	onChange(listener: () => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	#add(kind: HappeningKind, text: string, nodeId: string, sessionId?: string): void {
		this.#happenings.push({
			at: this.#clock.now(),
			kind,
			text: text.slice(0, KEPT_TEXT),
			nodeId,
			...(sessionId !== undefined && { session: shortHash(sessionId) }),
		});
		// Half of them at once, so that not every event moves all others.
		if (this.#happenings.length > 1.5 * KEPT) this.#happenings.splice(0, this.#happenings.length - KEPT);
		this.#tell();
	}

	/** What repeats itself, such as the refusals of a broken client, must not drive out everything else. */
	#addOnce(kind: HappeningKind, text: string, nodeId: string): void {
		const last = this.#happenings.at(-1);
		if (last?.kind === kind && last.text === text && last.nodeId === nodeId) return;
		this.#add(kind, text, nodeId);
	}

	#countReason(reason: string): void {
		const isKnown = this.#reasons.has(reason) || this.#reasons.size < KEPT_REASONS;
		const name = isKnown ? reason : 'other reasons';
		this.#reasons.set(name, (this.#reasons.get(name) ?? 0) + 1);
	}

	#countOperation(isError: boolean): void {
		const number = this.#minuteNumber();
		let minute = this.#minutes.at(-1);
		if (minute?.number !== number) {
			minute = { number, operations: 0, errors: 0 };
			this.#minutes.push(minute);
			if (this.#minutes.length > KEPT_MINUTES) this.#minutes.shift();
		}
		minute.operations++;
		if (isError) minute.errors++;
	}

	#countStream(kind: 'session' | 'request' | 'listen', sessionId: string | undefined, change: 1 | -1): void {
		this.#streams[kind] += change;
		if (kind === 'request') return;
		if (kind === 'session' && sessionId !== undefined) {
			const count = (this.#sessionStreams.get(sessionId) ?? 0) + change;
			if (count <= 0) this.#sessionStreams.delete(sessionId);
			else if (count > 1 || this.#sessionStreams.size < KEPT_STREAMS) this.#sessionStreams.set(sessionId, count);
		}
		this.#tell();
	}

	#minuteNumber(): number {
		return Math.floor(this.#clock.monotonic() / MINUTE);
	}

	#tell(): void {
		for (const listener of this.#listeners) listener();
	}
}
