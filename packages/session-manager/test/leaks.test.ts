import { InMemoryInfoSessionManager, InMemoryStreamSessionManager, Session } from '@holdfast/session-manager';
import { requestStreamId } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { heapInUse } from '../../../test/support/heap-in-use.ts';
import { sampleRecord } from './sample-record.ts';
import { attach, StreamClient, sse } from './stream-client.ts';

const SESSIONS = 20_000;
const BATCH = 1_000;
const MAX_GROWTH_BYTES = 1_000_000;

function openNode(maxEvents = 1000) {
	const clock = new ManualClock();
	return {
		clock,
		streams: new InMemoryStreamSessionManager({ clock, history: { maxAgeMs: 60_000, maxEvents } }),
		info: new InMemoryInfoSessionManager({ maxSessions: 0, clock }),
	};
}
type Node = ReturnType<typeof openNode>;

let issued = 0;

interface Lived {
	readonly id: string;
	readonly request: string;
	readonly clients: readonly StreamClient[];
	disconnect(): void;
}

/** A session that does a bit of everything. */
async function live({ clock, streams, info }: Node): Promise<Lived> {
	const id = `session-${++issued}`;
	const record = sampleRecord(id, { createdAt: clock.now(), lastUsedAt: clock.now(), idleTtlMs: 30_000 });
	info.create(record);
	info.addSubscription(id, `file:///own/${id}`);
	info.addSubscription(id, 'file:///shared');
	const session = new Session(record, { info, terminate: async () => {} });
	session.signal.addEventListener('abort', () => {});
	await session.state.increment('count');

	const request = requestStreamId(id, '1');
	const clients = [new StreamClient(), new StreamClient(), new StreamClient()] as const;
	const attachments = [
		attach(streams, request, clients[0].controller, { prime: sse('prime') }),
		attach(streams, id, clients[1].controller, { prime: sse('prime') }),
	];
	streams.send([request], sse('progress'));
	streams.send([id], sse(`hello ${id}`));
	attachments.push(attach(streams, id, clients[2].controller));
	return {
		id,
		request,
		clients,
		disconnect() {
			for (const attachment of attachments) attachment.detach();
		},
	};
}

const ends: readonly (readonly [how: string, end: (node: Node, sessions: readonly Lived[]) => void | Promise<void>])[] =
	[
		[
			'by DELETE',
			({ streams, info }, sessions) => {
				for (const { id, disconnect } of sessions) {
					info.delete(id);
					streams.delete(id);
					disconnect();
				}
			},
		],
		[
			'by expiry, while their clients were still connected',
			({ clock, streams, info }, sessions) => {
				clock.advance(60_000);
				expect(info.stats().sessions).toBe(0);
				for (const { id } of sessions) streams.delete(id);
			},
		],
		[
			'by disconnect, and nobody ever asked for them again',
			({ clock, streams }, sessions) => {
				for (const { id, request, disconnect } of sessions) {
					disconnect();
					streams.send([id, request], sse('too late'));
				}
				clock.advance(120_000);
			},
		],
		[
			'by clients that vanished without a word, and were found out by a message',
			async ({ clock, streams }, sessions) => {
				for (const { request, clients } of sessions) {
					for (const client of clients) await client.vanish();
					streams.send([request], sse('progress'));
				}
				streams.send(undefined, sse('to all'));
				expect(streams.stats().streams).toBe(0);
				clock.advance(120_000);
			},
		],
	];

describe(`after ${SESSIONS} sessions came and went`, () => {
	it.each(ends)('%s, every count and the heap are back where they were', { timeout: 120_000 }, async (_, end) => {
		const node = openNode();
		const round = async (count: number) => {
			for (let done = 0; done < count; done += BATCH) {
				const sessions: Lived[] = [];
				for (let n = 0; n < BATCH; n++) sessions.push(await live(node));
				expect(node.info.stats().sessions).toBe(BATCH);
				expect(node.streams.stats()).toMatchObject({ streams: 2 * BATCH, sessions: BATCH });
				await end(node, sessions);
				expect(node.info.stats()).toEqual({
					sessions: 0,
					records: 0,
					subscriptions: 0,
					stateValues: 0,
					leases: 0,
					bytes: 0,
				});
				expect(node.streams.stats()).toEqual({ streams: 0, listeners: 0, sessions: 0, events: 0 });
			}
		};
		await round(3 * BATCH);
		const before = await heapInUse();
		await round(SESSIONS);
		expect((await heapInUse()) - before).toBeLessThan(MAX_GROWTH_BYTES);
		expect(node.info.getSubscriptions('file:///shared')).toEqual([]);
	});
});

describe('one session that lives long', () => {
	it.each([1000, 0])(
		`keeps nothing of ${SESSIONS} answered requests beyond the retention of %i events`,
		async (maxEvents) => {
			const { clock, streams } = openNode(maxEvents);
			const round = (requests: number) => {
				for (let n = 0; n < requests; n++) {
					const id = requestStreamId('s', `${++issued}`);
					const attachment = attach(streams, id, new StreamClient().controller, { prime: sse('prime') });
					streams.send([id], sse('progress'));
					streams.send([id], 'data: answer\n:end\n\n');
					attachment.detach();
				}
			};
			round(3 * BATCH);
			expect(streams.stats()).toEqual({ streams: 0, listeners: 0, sessions: 1, events: maxEvents });
			const before = await heapInUse();
			round(SESSIONS);
			expect((await heapInUse()) - before).toBeLessThan(MAX_GROWTH_BYTES);
			clock.advance(120_000);
			expect(streams.stats()).toEqual({ streams: 0, listeners: 0, sessions: 0, events: 0 });
		},
	);

	it('keeps nothing of clients that come and go on its stream, or of resources it no longer wants', async () => {
		const { streams, info } = openNode();
		info.create(sampleRecord('s'));
		const round = (rounds: number) => {
			for (let n = 0; n < rounds; n++) {
				attach(streams, 's', new StreamClient().controller, { prime: sse('prime') });
				info.addSubscription('s', `file:///${n}`);
				info.removeSubscription('s', `file:///${n}`);
				info.writeState('s', `key ${n}`, undefined, 's1');
				info.writeState('s', `key ${n}`, '*', undefined);
			}
		};
		round(3 * BATCH);
		const before = await heapInUse();
		round(SESSIONS);
		expect((await heapInUse()) - before).toBeLessThan(MAX_GROWTH_BYTES);
		expect(streams.stats()).toMatchObject({ streams: 1, sessions: 1 });
		expect(info.stats()).toMatchObject({ sessions: 1, subscriptions: 0, stateValues: 0 });
	});
});

it('a manager that holds nothing has no timer running', () => {
	let waiting = 0;
	const clock = new (class extends ManualClock {
		override after(delayMs: number, task: () => void): () => void {
			waiting++;
			const callOff = super.after(delayMs, () => {
				waiting--;
				task();
			});
			return () => {
				waiting--;
				callOff();
			};
		}
	})();
	const streams = new InMemoryStreamSessionManager({ clock });
	const info = new InMemoryInfoSessionManager({ maxSessions: 0, clock });
	expect(waiting).toBe(0);
	attach(streams, 's', new StreamClient().controller).detach();
	info.create(sampleRecord('s', { endsAt: 1 }));
	expect(waiting).toBe(2);
	clock.advance(3_600_000);
	expect(waiting).toBe(0);
	streams.send(['s'], sse(1));
	info.create(sampleRecord('s', { endsAt: 1 }));
	streams.close();
	info.close();
	expect(waiting).toBe(0);
});
