import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { requestStreamId } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../../test/support/deadline.ts';
import { ClusterBus } from '../../src/cluster/cluster-bus.ts';
import { FetchHttpConnection } from '../../src/http/connection.ts';
import { Connections, type ConnectionsOptions } from '../../src/http/connections.ts';
import { NodeContext } from '../../src/node/node-context.ts';

const clock = () => new ManualClock(1_000_000);

function openNode(options: ConnectionsOptions = {}, time = clock(), streams = new InMemoryStreamSessionManager()) {
	const context = new NodeContext({ clock: time, sessionManager: { streams } });
	const bus = new ClusterBus(context);
	return { bus, clock: time, connections: new Connections(context, bus, options) };
}

/** A connection, and what its client has received so far. */
function connect() {
	const received: string[] = [];
	const connection = new FetchHttpConnection((body) => {
		const chunks = body.pipeThrough(new TextDecoderStream());
		void chunks.pipeTo(new WritableStream({ write: (text) => void received.push(text) }));
	});
	return { connection, received };
}

/** Counts what it is written. */
class CountedConnection extends FetchHttpConnection {
	comments = 0;
	readonly #oncomment: () => void;

	constructor(oncomment = () => {}) {
		super(() => {});
		this.#oncomment = oncomment;
	}

	override write(): void {
		this.comments++;
		this.#oncomment();
	}
}

/** Each task that falls due is a turn of the event loop; `count` is asked before and after each. */
class TurnClock extends ManualClock {
	count: (() => number) | undefined;
	/** The most that was counted in one turn. */
	most = 0;

	override after(delayMs: number, task: () => void): () => void {
		return super.after(delayMs, () => {
			const before = this.count?.() ?? 0;
			task();
			this.most = Math.max(this.most, (this.count?.() ?? 0) - before);
		});
	}
}

/** A clock of a process that did not run for a while. */
class PausingClock extends ManualClock {
	pausedMs = 0;

	override monotonic(): number {
		return super.monotonic() + this.pausedMs;
	}
}

describe('the connections of a node', () => {
	it('are found by stream and by session until they end', () => {
		const { connections } = openNode();
		const session = connect().connection;
		const request = connect().connection;
		const requestStream = requestStreamId('s', 'r');
		connections.add('s', session);
		connections.add(requestStream, request);
		expect([...connections.of('s')]).toEqual([
			['s', session],
			[requestStream, request],
		]);
		session.close();
		expect([connections.get('s'), connections.get(requestStream), connections.size]).toEqual([undefined, request, 1]);
		request.close();
		expect([[...connections], connections.size]).toEqual([[], 0]);
	});

	it('are the newest of their stream: an older one that ends takes nothing with it', () => {
		const { connections } = openNode();
		const older = connect().connection;
		const newer = connect().connection;
		connections.add('s', older);
		connections.add('s', newer);
		older.close();
		expect([connections.get('s'), connections.size]).toEqual([newer, 1]);
	});

	it('are closed with the node, and so is one that is opened later', async () => {
		const { connections } = openNode();
		const [before, after, listening] = [connect(), connect(), connect()];
		connections.add('s', before.connection);
		connections.close();
		connections.add('s', after.connection);
		connections.track(listening.connection, undefined, 'listen');
		await settle();
		expect([before, after, listening].map(({ connection }) => connection.open)).toEqual([false, false, false]);
		expect([after.received, listening.received]).toEqual([['retry: 1000\n\n'], ['retry: 1000\n\n']]);
		expect([[...connections], connections.size]).toEqual([[], 0]);
	});

	it('are full at the number of the option, and not any more when one ends', () => {
		const { connections } = openNode({ maxStreams: 2 });
		const { connection } = connect();
		connections.add('a', connection);
		expect(connections.refusal('c')).toBeUndefined();
		connections.add('b', connect().connection);
		expect(connections.refusal('c')).toMatchObject({ status: 503 });
		// A client that comes back takes the place of its own connection.
		expect(connections.refusal('a')).toBeUndefined();
		connection.close();
		expect(connections.refusal('c')).toBeUndefined();
	});

	it('count towards the limits until they are read, and are destroyed where they are not', async () => {
		const { clock: time, connections } = openNode({ maxStreams: 3, maxStreamsPerSession: 2 });
		let body: ReadableStream<Uint8Array> | undefined;
		const unread = () =>
			new FetchHttpConnection((own) => {
				body = own;
			});
		for (let n = 0; n < 2; n++) {
			const connection = unread();
			connections.add('a', connection);
			connection.write('unread');
			connection.close();
			expect(connections.size).toBe(0);
		}
		expect(connections.refusal('a')).toMatchObject({ status: 429 });
		expect(connections.refusal('b')).toBeUndefined();
		connections.add('b', connect().connection);
		expect(connections.refusal('c')).toMatchObject({ status: 503 });
		expect(new TextDecoder().decode((await body?.getReader().read())?.value)).toBe('unread');
		await settle();
		expect([connections.refusal('a'), connections.refusal('c')]).toEqual([undefined, undefined]);
		time.advance(4_999);
		connections.add('d', connect().connection);
		expect(connections.refusal('c')).toMatchObject({ status: 503 });
		time.advance(1);
		expect(connections.refusal('c')).toBeUndefined();
	});

	it('get a comment every interval, and none where the interval is 0', async () => {
		const commented = connect();
		const silent = connect();
		const time = clock();
		openNode({ keepAliveMs: 1_000 }, time).connections.add('s', commented.connection);
		openNode({ keepAliveMs: 0 }, time).connections.add('s', silent.connection);
		for (let n = 0; n < 3; n++) time.advance(1_000);
		await settle();
		expect([commented.received, silent.received]).toEqual([Array(3).fill(': keep-alive\n\n'), []]);
	});

	it('get their comments a part at a time where there are many, and each in every interval', () => {
		const time = new TurnClock(1_000_000);
		const { connections } = openNode({}, time);
		let written = 0;
		time.count = () => written;
		const open = (id: string) => {
			const connection = new CountedConnection(() => void written++);
			connections.add(id, connection);
			return connection;
		};
		const all = Array.from({ length: 20_000 }, (_, n) => open(`s${n}`));
		time.advance(3_000);
		const late = open('late');
		// The first comment does not come much sooner than after the interval either.
		expect(written).toBe(0);
		time.advance(4_000);
		expect(new Set(all.map(({ comments }) => comments))).toEqual(new Set([1]));
		for (const connection of all.splice(0, 10_000)) connection.close();
		time.advance(3_000);
		expect(late.comments).toBe(1);
		for (let interval = 2; interval < 5; interval++) time.advance(7_000);
		time.advance(4_000);
		expect(new Set(all.map(({ comments }) => comments))).toEqual(new Set([5]));
		expect(time.most).toBeLessThanOrEqual(500);
	});

	it('are cut off where a client leaves much unread and reads nothing, though nothing more is sent', async () => {
		const time = clock();
		const { connections } = openNode({}, time);
		let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
		const reading = new FetchHttpConnection((body) => {
			reader = body.getReader();
		}, time);
		const unread = new FetchHttpConnection(() => {}, time);
		const small = new FetchHttpConnection(() => {}, time);
		for (const [id, connection] of Object.entries({ reading, unread, small })) connections.add(id, connection);
		for (let n = 0; n < 40; n++)
			for (const connection of [reading, unread]) connection.enqueue(new Uint8Array(100_000));
		small.enqueue(new Uint8Array(100_000));
		for (let second = 0; second < 40; second++) {
			if (second % 10 === 0) await reader?.read();
			time.advance(1_000);
			await settle();
		}
		expect([reading, unread, small].map(({ open }) => open)).toEqual([true, false, true]);
	});

	it('do not get all the comments that a long pause left out', () => {
		const time = new PausingClock(1_000_000);
		const { connections } = openNode({}, time);
		const connection = new CountedConnection();
		connections.add('s', connection);
		time.pausedMs = 10 * 60_000;
		time.advance(1_000);
		expect(connection.comments).toBeGreaterThan(0);
		expect(connection.comments).toBeLessThanOrEqual(2);
	});

	it('are closed for a while from any node: their clients are told when to come back', async () => {
		const time = clock();
		const streams = new InMemoryStreamSessionManager();
		const holder = openNode({ retryMs: 250 }, time, streams);
		const other = openNode({}, time, streams);
		await holder.bus.listen();
		const { connection, received } = connect();
		holder.connections.add('s', connection);
		other.connections.closeForReconnect('s');
		await settle();
		expect([received, connection.open]).toEqual([['retry: 250\n\n'], false]);
		await holder.bus.close();
	});
});
