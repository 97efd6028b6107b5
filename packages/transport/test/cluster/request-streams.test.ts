import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { requestStreamId } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NodeStreams } from '../../../../test/support/broker-nodes.ts';
import { settle } from '../../../../test/support/deadline.ts';
import { ToyBroker } from '../../../session-manager-test-kit/test/toy-broker.ts';
import { ClusterBus } from '../../src/cluster/cluster-bus.ts';
import { NodeMonitor } from '../../src/cluster/node-monitor.ts';
import { RequestStreams } from '../../src/cluster/request-streams.ts';
import { NodeContext } from '../../src/node/node-context.ts';

/** Nodes that share their streams, without sessions. */
class Nodes {
	readonly clock = new ManualClock(1_000_000);
	readonly streams = new InMemoryStreamSessionManager({ clock: this.clock });

	async open() {
		const context = new NodeContext({ clock: this.clock, sessionManager: { streams: this.streams } });
		const bus = new ClusterBus(context);
		const monitor = new NodeMonitor(context, bus);
		const requestStreams = new RequestStreams(context, bus, monitor);
		await bus.listen();
		const leave = async () => {
			monitor.close();
			await bus.close();
		};
		onTestFinished(leave);
		return { nodeId: context.nodeId, requestStreams, leave };
	}

	/** Opens a stream; answers what its client has received so far. */
	hear(streamId: string): string[] {
		const received: string[] = [];
		const decoder = new TextDecoder();
		this.streams.create(streamId, {
			enqueue: (chunk) => received.push(decoder.decode(chunk)),
			close() {},
			desiredSize: 1,
		});
		return received;
	}
}

describe('request streams', () => {
	it('have names that are never given twice, on no node', async () => {
		const nodes = new Nodes();
		const { requestStreams: a } = await nodes.open();
		const { requestStreams: b } = await nodes.open();
		const names = Array.from({ length: 100 }, () => [
			a.nextName('session', 1),
			b.nextName('session', 1),
			a.nextName('session', undefined),
		]).flat();
		expect(new Set(names).size).toBe(300);
	});

	it('are left alone while somebody writes to them, whichever node the client came back to', async () => {
		const nodes = new Nodes();
		const a = await nodes.open();
		const b = await nodes.open();
		const streamId = requestStreamId('session', a.requestStreams.nextName('session', 7));
		const endWriting = a.requestStreams.beginWriting(streamId);
		const received = nodes.hear(streamId);
		for (const node of [a, b]) node.requestStreams.watch(a.nodeId, streamId, true);
		await settle();
		expect([a.requestStreams.isWriting(streamId), received]).toEqual([true, []]);
		endWriting();
		expect(a.requestStreams.isWriting(streamId)).toBe(false);
	});

	it.each(['the writing node', 'another node'])(
		'end with an error that carries the id of the request where nobody writes any more, on %s',
		async (where) => {
			const nodes = new Nodes();
			const a = await nodes.open();
			const b = await nodes.open();
			const streamId = requestStreamId('session', a.requestStreams.nextName('session', 7));
			a.requestStreams.beginWriting(streamId)();
			const received = nodes.hear(streamId);
			(where === 'another node' ? b : a).requestStreams.watch(a.nodeId, streamId, true);
			await settle();
			expect(received).toEqual([expect.stringMatching(/^data: \{"jsonrpc":"2\.0","id":7,"error":/m)]);
		},
	);

	it('end with an error once the node that writes is gone, unless nobody waits any more', async () => {
		const nodes = new Nodes();
		const a = await nodes.open();
		const b = await nodes.open();
		const [awaited, left] = [7, 8].map((id) => requestStreamId('session', a.requestStreams.nextName('session', id)));
		if (awaited === undefined || left === undefined) throw new Error('There are two streams.');
		for (const streamId of [awaited, left]) a.requestStreams.beginWriting(streamId);
		const heard = nodes.hear(awaited);
		const unheard = nodes.hear(left);
		b.requestStreams.watch(a.nodeId, awaited, true);
		b.requestStreams.watch(a.nodeId, left, true)();
		await a.leave();
		nodes.clock.advance(60_000);
		await settle();
		expect(heard).toEqual([expect.stringMatching(/^data: \{"jsonrpc":"2\.0","id":7,"error":/m)]);
		expect(unheard).toEqual([]);
	});

	it('are orphaned where their writer hangs, whenever the client comes back', async () => {
		const broker = new ToyBroker();
		const open = async () => {
			const clock = new ManualClock(1_000_000);
			const streams = new NodeStreams(broker, { clock });
			const context = new NodeContext({ clock, sessionManager: { streams } });
			const bus = new ClusterBus(context);
			const monitor = new NodeMonitor(context, bus);
			const requestStreams = new RequestStreams(context, bus, monitor);
			bus.onlistening = () => monitor.start();
			await bus.listen();
			onTestFinished(async () => {
				monitor.close();
				await bus.close();
				await streams.close();
			});
			return { nodeId: context.nodeId, requestStreams, streams, clock };
		};
		const [hung, other] = [await open(), await open()];
		await settle();
		const streamId = requestStreamId('session', hung.requestStreams.nextName('session', 7));
		hung.requestStreams.beginWriting(streamId);
		hung.streams.deafen();
		const pass = async (seconds: number) => {
			for (let second = 0; second < seconds; second++) {
				other.clock.advance(1_000);
				await settle();
			}
		};
		const isOrphaned = async () => {
			const asked = other.requestStreams.isOrphaned(hung.nodeId, streamId).catch((error: Error) => error.message);
			await settle();
			await pass(3);
			return asked;
		};
		expect(await isOrphaned()).toMatch(/cannot be reached/);
		await pass(60);
		expect(await isOrphaned()).toBe(true);
	});

	it('end also where the client came back to the same node before its older connection ended', async () => {
		const nodes = new Nodes();
		const a = await nodes.open();
		const b = await nodes.open();
		const streamId = requestStreamId('session', a.requestStreams.nextName('session', 7));
		a.requestStreams.beginWriting(streamId);
		const heard = nodes.hear(streamId);
		const stopOlder = b.requestStreams.watch(a.nodeId, streamId, true);
		b.requestStreams.watch(a.nodeId, streamId, true);
		stopOlder();
		await a.leave();
		nodes.clock.advance(60_000);
		await settle();
		expect(heard).toEqual([expect.stringMatching(/^data: \{"jsonrpc":"2\.0","id":7,"error":/m)]);
	});
});
