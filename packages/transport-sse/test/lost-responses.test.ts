import { InMemoryInfoSessionManager, SessionManagerError } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { NodeStreams } from '../../../test/support/broker-nodes.ts';
import type { SseClient } from '../../../test/support/clients/sse-client.ts';
import { settle } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import type { Tool } from '../../../test/support/servers.ts';
import { ToyBroker } from '../../session-manager-test-kit/test/toy-broker.ts';
import { SseRig } from './support/sse-rig.ts';

/** Ids of the responses so far, that to `initialize` apart. */
const responses = ({ messages }: SseClient) =>
	messages.flatMap(({ id, method }) => (method === undefined && id !== 'init' ? [id] : []));

describe.each(doors)('the responses on a stream of HTTP+SSE, through $name,', (door) => {
	/** A session whose stream is on A. */
	async function open(limits: { maxEvents?: number; maxBufferedBytes?: number }, tools: Record<string, Tool> = {}) {
		const broker = new ToyBroker();
		const clock = new ManualClock(1_000_000);
		const info = new InMemoryInfoSessionManager({ clock });
		const { maxBufferedBytes = 1_000_000, ...history } = limits;
		const openNode = async () => {
			const streams = new NodeStreams(broker, { clock, history, maxBufferedBytes });
			onTestFinished(() => streams.close());
			const rig = await SseRig.open(door, { clock, sessionManager: { streams, info }, tools });
			await rig.transport.isReady();
			return { rig, streams };
		};
		const [a, b] = [await openNode(), await openNode()];
		await settle();
		const client = await a.rig.session();
		return { a, b, clock, client, onB: client.at(b.rig) };
	}

	it('come once each, though its node was cut off while another sent them and the store forgot', async () => {
		const { a, b, client, onB } = await open({ maxEvents: 3 });
		await onB.answerTo(await onB.call('echo', { text: 'before' }));
		a.streams.disconnect();
		const ids: number[] = [];
		for (let n = 0; n < 10; n++) ids.push(await onB.call('echo', { text: String(n) }));
		await eventually(() => b.rig.transport.stats().requestsInFlight).toBe(0);
		await settle();
		expect(responses(client)).toHaveLength(1);
		a.streams.reconnect();
		for (const id of ids) expect((await client.answerTo(id)).result).toBeDefined();
		await settle();
		expect(await client.ask('echo', { text: 'after' })).toBe('after');
		expect(responses(client).toSorted()).toEqual([1, ...ids, client.lastId].toSorted());
	});

	it('come once each, though both nodes were cut off at the same time, and the one that sent them is back last', async () => {
		const { a, b, clock, client, onB } = await open({ maxEvents: 3 });
		await onB.answerTo(await onB.call('echo', { text: 'before' }));
		a.streams.disconnect();
		const ids: number[] = [];
		for (let n = 0; n < 10; n++) ids.push(await onB.call('echo', { text: String(n) }));
		await eventually(() => b.rig.transport.stats().requestsInFlight).toBe(0);
		b.streams.disconnect();
		a.streams.reconnect();
		await a.streams.hasSent('responses-lost');
		await settle();
		b.streams.reconnect();
		await settle();
		expect(responses(client).length).toBeLessThan(10);
		clock.advance(500);
		for (const id of ids) expect((await client.answerTo(id)).result).toBeDefined();
		for (let n = 0; n < 30; n++) clock.advance(500);
		await settle();
		expect(responses(client).toSorted()).toEqual([1, ...ids].toSorted());
	});

	it('come once each, though the store takes nothing when they are to be sent again', async () => {
		const { a, b, clock, client, onB } = await open({ maxEvents: 3 });
		await onB.answerTo(await onB.call('echo', { text: 'before' }));
		a.streams.disconnect();
		const ids: number[] = [];
		for (let n = 0; n < 10; n++) ids.push(await onB.call('echo', { text: String(n) }));
		await eventually(() => b.rig.transport.stats().requestsInFlight).toBe(0);
		const refused: string[] = [];
		const refuse = (streams: NodeStreams) =>
			vi.spyOn(streams, 'send').mockImplementation((_, data) => {
				refused.push(data);
				return Promise.reject(new SessionManagerError('unavailable', 'Away.'));
			});
		const spies = [refuse(a.streams)];
		a.streams.reconnect();
		await eventually(() => refused.some((data) => data.includes('responses-lost'))).toBe(true);
		spies[0]?.mockRestore();
		spies.push(refuse(b.streams));
		clock.advance(500);
		await eventually(() => refused.some((data) => !data.includes('responses-lost'))).toBe(true);
		for (const spy of spies) spy.mockRestore();
		for (let n = 0; n < 30; n++) {
			clock.advance(500);
			await settle();
		}
		for (const id of ids) expect((await client.answerTo(id)).result).toBeDefined();
		expect(responses(client).toSorted()).toEqual([1, ...ids].toSorted());
	});

	it('come once each, though the node that sent them itself was cut off and the store forgot', async () => {
		const { a, client } = await open({ maxEvents: 3 });
		a.streams.disconnect();
		const ids: number[] = [];
		for (let n = 0; n < 10; n++) ids.push(await client.call('echo', { text: String(n) }));
		await eventually(() => a.rig.transport.stats().requestsInFlight).toBe(0);
		await settle();
		a.streams.reconnect();
		for (const id of ids) expect((await client.answerTo(id)).result).toBeDefined();
		await settle();
		expect(responses(client).toSorted()).toEqual(ids.toSorted());
	});

	it('never cut off a client that reads them, however large they are', async () => {
		const large: Tool = ({ args }) => `${args['name']}${'x'.repeat(200_000)}`;
		const { client, onB } = await open({ maxBufferedBytes: 1_000 }, { large });
		const ids = await Promise.all(['1', '2', '3', '4'].map((name) => onB.call('large', { name })));
		for (const id of ids) expect((await client.answerTo(id)).result.content[0].text).toHaveLength(200_001);
		expect(client.stream.over).toBe(false);
	});

	it('say so where the node closes, before the connection does', async () => {
		const { arrived, tool } = gatedTool();
		const { a, client } = await open({}, { hold: tool });
		const id = await client.call('hold');
		await arrived.wait();
		// Nothing comes back from the store.
		a.streams.disconnect();
		await a.rig.transport.close();
		expect(await client.answerTo(id)).toMatchObject({ id, error: { code: -32000 } });
		await client.stream.ended();
		expect(client.stream.broken).toBe(false);
	});
});
