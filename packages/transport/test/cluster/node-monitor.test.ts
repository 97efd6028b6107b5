import { nodeAddress } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NodeStreams } from '../../../../test/support/broker-nodes.ts';
import { settle } from '../../../../test/support/deadline.ts';
import { ToyBroker } from '../../../session-manager-test-kit/test/toy-broker.ts';
import { ClusterBus } from '../../src/cluster/cluster-bus.ts';
import type { ClusterMessage } from '../../src/cluster/cluster-message.ts';
import { NodeMonitor } from '../../src/cluster/node-monitor.ts';
import { NodeContext } from '../../src/node/node-context.ts';

const news: ClusterMessage = { type: 'session-changed', sessionId: 's' };

/** A node without sessions. */
interface Node {
	readonly nodeId: string;
	readonly monitor: NodeMonitor;
	readonly bus: ClusterBus;
	readonly streams: NodeStreams;
	readonly clock: ManualClock;
	readonly errors: Error[];
	/** Ids of sessions of which it was told. */
	readonly told: string[];
	/** Leaves, and says so. */
	leave(): Promise<void>;
}

async function open(broker: ToyBroker): Promise<Node> {
	const clock = new ManualClock(1_000_000);
	const streams = new NodeStreams(broker, { clock });
	const errors: Error[] = [];
	const told: string[] = [];
	const context = new NodeContext({ clock, sessionManager: { streams }, onerror: (error) => errors.push(error) });
	const bus = new ClusterBus(context);
	const monitor = new NodeMonitor(context, bus);
	bus.on('session-changed', ({ sessionId }) => void told.push(sessionId));
	bus.onlistening = () => monitor.start();
	await bus.listen();
	await settle();
	const leave = async () => {
		monitor.close();
		await bus.close();
		await settle();
	};
	onTestFinished(async () => {
		await leave();
		await streams.close();
	});
	return { nodeId: context.nodeId, monitor, bus, streams, clock, errors, told, leave };
}

/** Three nodes that know each other. */
async function openThree(): Promise<readonly [Node, Node, Node]> {
	const broker = new ToyBroker();
	return [await open(broker), await open(broker), await open(broker)];
}

/** Lets `seconds` pass on these nodes. One that is left out hangs. */
async function pass(seconds: number, ...nodes: readonly Node[]): Promise<void> {
	for (let second = 0; second < seconds; second++) {
		for (const { clock } of nodes) clock.advance(1_000);
		await settle();
	}
}

/** Says whether it has settled. */
function watched(promise: Promise<unknown>): { readonly done: boolean } {
	const seen = { done: false };
	void promise.then(() => {
		seen.done = true;
	});
	return seen;
}

describe('a node that hangs', () => {
	it('is gone for the others within 15 seconds, though the store knows it, and not before eight', async () => {
		const [hung, ...others] = await openThree();
		let gone = 0;
		for (const { monitor } of others) monitor.watch(hung.nodeId, () => gone++);
		hung.streams.deafen();
		await pass(8, ...others);
		expect([gone, await others[0]?.bus.isListening(hung.nodeId)]).toEqual([0, true]);
		await pass(7, ...others);
		expect(gone).toBe(2);
	});

	it('is gone also for one that never heard it', async () => {
		const broker = new ToyBroker();
		const hung = await open(broker);
		hung.streams.deafen();
		const late = await open(broker);
		let gone = false;
		late.monitor.watch(hung.nodeId, () => {
			gone = true;
		});
		await pass(15, late);
		expect(gone).toBe(true);
	});

	it('is gone for whoever asks, however late', async () => {
		const [hung, ...others] = await openThree();
		hung.streams.deafen();
		await pass(120, ...others);
		for (const { monitor } of others)
			expect([monitor.isHeard(hung.nodeId), await monitor.isGone(hung.nodeId)]).toEqual([false, true]);
	});

	it('is gone for one that never heard it, some seconds after that first asks', async () => {
		const broker = new ToyBroker();
		const hung = await open(broker);
		hung.streams.deafen();
		const late = await open(broker);
		await pass(60, late);
		const asked: boolean[] = [];
		for (let seconds = 0; seconds < 2; seconds++) {
			asked.push(await late.monitor.isGone(hung.nodeId));
			await pass(9 + seconds, late);
		}
		expect([...asked, await late.monitor.isGone(hung.nodeId)]).toEqual([false, false, true]);
	});

	it('is remembered among a thousand others, and longer ago than that, counted anew', async () => {
		const late = await open(new ToyBroker());
		const ids = Array.from({ length: 1_200 }, (_, n) => `node ${n}`);
		for (const id of ids) await late.streams.create(nodeAddress(id), { enqueue() {}, close() {}, desiredSize: 1 });
		for (const id of ids) await late.monitor.isGone(id);
		await pass(15, late);
		const gone: boolean[] = [];
		for (const id of ids.reverse()) gone.push(await late.monitor.isGone(id));
		expect([gone.indexOf(false), gone.lastIndexOf(true)]).toEqual([1_000, 999]);
	});

	it('is there again once it is heard', async () => {
		const [hung, a] = await openThree();
		hung.streams.deafen();
		await pass(15, a);
		expect(await a.monitor.isGone(hung.nodeId)).toBe(true);
		hung.streams.hear();
		await pass(2, hung, a);
		expect(await a.monitor.isGone(hung.nodeId)).toBe(false);
	});
});

it('a node that does not hear itself does not take the others for hung', async () => {
	const [deaf, a, b] = await openThree();
	let gone = false;
	deaf.monitor.watch(a.nodeId, () => {
		gone = true;
	});
	deaf.streams.deafen();
	await pass(60, deaf, a, b);
	expect(gone).toBe(false);
	deaf.streams.hear();
	await pass(5, deaf, a, b);
	expect(gone).toBe(false);
});

it('a slow machine whose clocks agree takes nobody for hung', async () => {
	const [a, b, c] = await openThree();
	let gone = false;
	a.monitor.watch(b.nodeId, () => {
		gone = true;
	});
	// All of them were stopped for a minute.
	for (const { clock } of [a, b, c]) clock.advance(60_000);
	await settle();
	await pass(30, a, b, c);
	expect(gone).toBe(false);
});

describe('what was cached', () => {
	it('is believed as long as the node hears itself, and three seconds more', async () => {
		const [deaf, a] = await openThree();
		await pass(10, deaf, a);
		expect(deaf.monitor.isCurrent).toBe(true);
		deaf.streams.deafen();
		deaf.clock.advance(2_999);
		expect(deaf.monitor.isCurrent).toBe(true);
		deaf.clock.advance(1);
		expect(deaf.monitor.isCurrent).toBe(false);
	});

	it('is not believed by a node that wakes up, before it has heard all that was said meanwhile', async () => {
		const [hung, a] = await openThree();
		await pass(3, hung, a);
		hung.streams.deafen();
		await pass(10, hung, a);
		// Its own beats of then come back to it, with the news between them.
		hung.streams.hear();
		const newest = hung.monitor.isCurrent;
		hung.clock.advance(3_000);
		expect([newest, hung.monitor.isCurrent]).toEqual([true, false]);
		await settle();
		expect(hung.monitor.isCurrent).toBe(true);
	});

	it('is not believed before the node has heard itself at all', async () => {
		const broker = new ToyBroker();
		const clock = new ManualClock(1_000_000);
		const streams = new NodeStreams(broker, { clock });
		onTestFinished(() => streams.close());
		streams.deafen();
		const context = new NodeContext({ clock, sessionManager: { streams } });
		const bus = new ClusterBus(context);
		const monitor = new NodeMonitor(context, bus);
		await bus.listen();
		monitor.start();
		await settle();
		expect(monitor.isCurrent).toBe(false);
		streams.hear();
		expect(monitor.isCurrent).toBe(true);
		monitor.close();
	});
});

describe('news that must be confirmed', () => {
	it('is confirmed once every other node has it', async () => {
		const [a, b, c] = await openThree();
		b.streams.deafen();
		const confirmed = watched(a.monitor.confirmAll(news));
		await settle();
		expect([confirmed.done, b.told, c.told]).toEqual([false, [], ['s']]);
		b.streams.hear();
		await settle();
		expect([confirmed.done, b.told]).toEqual([true, ['s']]);
	});

	it('is confirmed without a node that does not answer once that may not believe its cache any more', async () => {
		const [a, deaf, c] = await openThree();
		await pass(3, a, deaf, c);
		deaf.streams.deafen();
		const confirmed = watched(a.monitor.confirmAll(news));
		await settle();
		for (const { clock } of [a, deaf, c]) clock.advance(2_999);
		await settle();
		expect(confirmed.done).toBe(false);
		for (const { clock } of [a, deaf, c]) clock.advance(1);
		await settle();
		expect([confirmed.done, deaf.monitor.isCurrent]).toEqual([true, false]);
	});

	it('does not wait for a node that has been silent for long, nor for one that left', async () => {
		const [a, silent, left] = await openThree();
		silent.streams.deafen();
		await left.leave();
		await pass(6, a);
		const confirmed = watched(a.monitor.confirmAll(news));
		await settle();
		expect(confirmed.done).toBe(true);
	});

	it('waits until all leases have run out where it cannot be said, and reports why', async () => {
		const [a, b] = await openThree();
		a.streams.away = true;
		const confirmed = watched(a.monitor.confirmAll(news));
		await settle();
		a.clock.advance(2_999);
		await settle();
		expect([confirmed.done, b.told]).toEqual([false, []]);
		a.clock.advance(1);
		await settle();
		expect(confirmed.done).toBe(true);
		expect(a.errors.map(({ message }) => message)).toContain('The broker is away.');
		a.streams.away = false;
	});
});

it('what every node must have is missing where one is silent, until that is hung for the others', async () => {
	const [a, silent, b] = await openThree();
	silent.streams.deafen();
	await pass(6, a, b);
	const reached = a.monitor.reachAll(news);
	await settle();
	await pass(3, a, b);
	expect(await reached).toEqual([silent.nodeId]);
	await pass(6, a, b);
	expect(await a.monitor.reachAll(news)).toEqual([]);
});

it("an outage of the store, however long, is nobody's silence", async () => {
	const [a, b, c] = await openThree();
	const nodes = [a, b, c];
	let gone = false;
	a.monitor.watch(b.nodeId, () => {
		gone = true;
	});
	for (const { streams } of nodes) streams.away = true;
	await pass(30, ...nodes);
	for (const { streams } of nodes) streams.away = false;
	// It hears itself before any other node has said something again.
	await pass(1, a);
	expect([gone, a.monitor.isHeard(b.nodeId), await a.monitor.isGone(b.nodeId)]).toEqual([false, true, false]);
});
