import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { attach, StreamClient, sse, strategies } from './stream-client.ts';

// The same cases in every run; a new seed by hand finds new ones.
fc.configureGlobal({ seed: 20_261_120 });

const ids = ['a', 'a 1', 'a 2', 'b', 'b 1'] as const;

type Step =
	| { readonly do: 'attach'; readonly stream: number; readonly resume: boolean; readonly prime: boolean }
	| { readonly do: 'detach' | 'vanish' | 'read'; readonly stream: number }
	| { readonly do: 'send'; readonly streams: readonly number[] }
	| { readonly do: 'broadcast' };

const stream = fc.nat(ids.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
	fc.record({ do: fc.constant('attach'), stream, resume: fc.boolean(), prime: fc.boolean() }),
	fc.record({ do: fc.constantFrom('detach', 'vanish', 'read'), stream }),
	fc.record({ do: fc.constant('send'), streams: fc.subarray([0, 1, 2, 3, 4]) }),
	fc.record({ do: fc.constant('broadcast') }),
);

/** An event as one stream has it. */
interface Sent {
	readonly n: number;
	readonly broadcast: boolean;
}

/**
 * What must be true of one stream, told without history, cursors or offsets: all that was ever sent to it, by number.
 */
class ModelStream {
	readonly sent: Sent[] = [];
	/** How many of `sent` were handed to a client. */
	handed = 0;
	/** Whether broadcasts belong to it yet. */
	known = false;
	client: StreamClient | undefined;
	attached = false;
	detach: () => void = () => {};
	/** How many of `sent` the client of this stream has read, or was told that it missed. */
	seen = 0;
	/** The same, without what it missed after the last event that it read: where `lastEventId` is. */
	place = 0;
	lastEventId: string | undefined;
}

/** Runs `steps` on a manager and on the model, and demands that a client cannot tell them apart. */
async function agree(steps: readonly Step[], maxEvents: number, strategy: () => QueuingStrategy<Uint8Array>) {
	const streams = new InMemoryStreamSessionManager({ history: { maxEvents } });
	const model = ids.map(() => new ModelStream());
	const of = (index: number): ModelStream => model[index] ?? new ModelStream();
	const session = (index: number) => ids.indexOf(index < 3 ? 'a' : 'b');
	let n = 0;

	/** What a session, or for broadcasts the manager, was to keep, in order. */
	const kept = new Map<number | 'broadcasts', (Sent | number)[]>();
	const keep = (where: number | 'broadcasts', what: Sent | number) => {
		kept.set(where, [...(kept.get(where) ?? []), what].slice(-maxEvents));
	};
	/** Whether something that comes after the first `from` of the stream is beyond the retention. */
	const lost = (index: number, from: number): boolean =>
		of(index)
			.sent.slice(from)
			.some((sent) =>
				sent.broadcast ? !kept.get('broadcasts')?.includes(sent.n) : !kept.get(session(index))?.includes(sent),
			);

	const deliver = (to: ModelStream) => {
		if (!to.attached) return;
		// A client that vanished is noticed now, and was handed nothing.
		if (to.client === undefined) to.attached = false;
		else to.handed = to.sent.length;
	};

	const read = async (from: ModelStream) => {
		for (const { id, data } of (await from.client?.readAll()) ?? []) {
			expect(id).toBeDefined();
			from.lastEventId = id;
			if (data === 'prime') continue;
			expect(data).toBe(`${from.sent[from.seen]?.n}`);
			from.place = ++from.seen;
		}
	};

	for (const now of steps) {
		switch (now.do) {
			case 'attach': {
				const to = of(now.stream);
				const lastEventId = now.resume ? to.lastEventId : undefined;
				const client = new StreamClient(strategy());
				const attachment = attach(streams, ids[now.stream] ?? '', client.controller, {
					...(lastEventId === undefined ? {} : { lastEventId }),
					...(now.prime ? { prime: sse('prime') } : {}),
				});
				of(session(now.stream)).known = true;
				const from = lastEventId === undefined ? to.handed : to.place;
				const gap = lost(now.stream, from);
				expect(attachment.continuation).toBe(gap ? 'gap' : lastEventId === undefined ? 'fresh' : 'resumed');
				to.client = client;
				to.attached = true;
				to.detach = () => attachment.detach();
				to.handed = to.sent.length;
				to.seen = from;
				to.place = from;
				to.lastEventId = lastEventId;
				if (gap) {
					// What is left comes, from somewhere on and then without a hole.
					const rest = (await client.readAll()).filter(({ data }) => data !== 'prime');
					const missing = to.sent.slice(from).map(({ n: number }) => `${number}`);
					const left = missing.filter((number) => rest.some(({ data }) => data === number));
					expect(rest.map(({ data }) => data)).toEqual(left);
					expect(left.length).toBeLessThan(missing.length);
					to.lastEventId = client.lastEventId;
					to.seen = to.sent.length;
					to.place = left.length === 0 ? to.seen : to.sent.findIndex(({ n }) => `${n}` === left.at(-1)) + 1;
				}
				break;
			}
			case 'detach': {
				const from = of(now.stream);
				from.detach();
				from.attached = false;
				from.client = undefined;
				break;
			}
			case 'vanish': {
				const from = of(now.stream);
				await from.client?.vanish();
				from.client = undefined;
				break;
			}
			case 'read':
				await read(of(now.stream));
				break;
			case 'send': {
				const number = ++n;
				for (const index of now.streams) {
					const sent = { n: number, broadcast: false };
					of(index).sent.push(sent);
					keep(session(index), sent);
					of(session(index)).known = true;
					deliver(of(index));
				}
				streams.send(
					now.streams.map((index) => ids[index] ?? ''),
					sse(number),
				);
				break;
			}
			case 'broadcast': {
				const number = ++n;
				keep('broadcasts', number);
				for (const [index, to] of model.entries()) {
					if (session(index) !== index || !to.known) continue;
					to.sent.push({ n: number, broadcast: true });
					deliver(to);
				}
				streams.send(undefined, sse(number));
				break;
			}
		}
		for (const [index, id] of ids.entries()) {
			if (of(index).client !== undefined) expect(streams.has(id)).toBe(true);
			else if (!of(index).attached) expect(streams.has(id)).toBe(false);
		}
	}
	for (const each of model) {
		await read(each);
		if (each.client !== undefined) expect(each.seen).toBe(each.sent.length);
	}
}

it.each(strategies)(
	'any run of attach, resume, detach, vanish, send and broadcast loses, doubles and reorders nothing, and tells of every gap and of no other (controllers count %s)',
	async (_, strategy) => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(step, { minLength: 5, maxLength: 80 }),
				fc.constantFrom(1, 3, 8, 1000),
				(steps, maxEvents) => agree(steps, maxEvents, strategy),
			),
			{ numRuns: 500 },
		);
	},
);

it.each(strategies)(
	'a client that reads by fits and starts, is cut at the bound and always resumes, gets everything once and in order (controllers count %s)',
	async (_, strategy) => {
		const turn = fc.record({
			sent: fc.nat(6),
			size: fc.nat(200),
			read: fc.nat(4),
			lose: fc.integer({ min: 0, max: 9 }),
		});
		let cuts = 0;
		await fc.assert(
			fc.asyncProperty(fc.array(turn, { maxLength: 60 }), async (turns) => {
				const streams = new InMemoryStreamSessionManager({ maxBufferedBytes: 200 });
				let client = new StreamClient(strategy());
				attach(streams, 's', client.controller, { prime: sse('prime') });
				const received: string[] = [];
				const sent: string[] = [];
				const take = async () => {
					const next = await client.read();
					if (next !== undefined && next.data !== 'prime') received.push(next.data);
				};
				const resume = () => {
					const lastEventId: string = client.lastEventId ?? '';
					client = new StreamClient(strategy());
					client.lastEventId = lastEventId;
					expect(attach(streams, 's', client.controller, { lastEventId }).continuation).toBe('resumed');
				};
				await take();
				for (const [index, { sent: count, size, read, lose }] of turns.entries()) {
					for (let n = 0; n < count; n++) {
						const text = `${index}.${n} ${'x'.repeat(size)}`;
						sent.push(text);
						streams.send(n % 2 === 0 ? ['s'] : undefined, sse(text));
					}
					for (let n = 0; n < read && client.unread > 0; n++) await take();
					if (!streams.has('s')) cuts++;
					if (lose === 0 || !streams.has('s')) resume();
				}
				while (client.unread > 0) await take();
				expect(received).toEqual(sent);
			}),
			{ numRuns: 300 },
		);
		expect(cuts).toBeGreaterThan(50);
	},
);
