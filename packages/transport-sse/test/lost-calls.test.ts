import { nodeAddress, SessionManagerError } from '@holdfast/session-manager/custom';
import { describe, expect, it } from 'vitest';
import { Happening } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { openSseNodes } from './support/sse-nodes.ts';

const slowCall = { jsonrpc: '2.0', id: 'the call', method: 'tools/call', params: { name: 'slow', arguments: {} } };

describe.each(doors)('a call that runs on another node than the stream, through $name,', (door) => {
	async function open() {
		const { tool, arrived, go } = gatedTool();
		const nodes = await openSseNodes(door, { tools: { slow: tool } });
		const client = await nodes.a.session();
		return { ...nodes, client, onB: client.at(nodes.b), arrived, go };
	}

	it('is answered with an error soon after its node died, once, whatever its node says later', async () => {
		const { a, b, streams, client, onB, arrived, go } = await open();
		const id = await onB.call('slow');
		await arrived.wait();
		await a.advance(60_000);
		expect(client.messages.map((message) => message.id)).toEqual(['init']);
		// As it looks to the others when a node is killed.
		streams.delete(nodeAddress(b.transport.nodeId));
		await a.advance(10_000);
		expect(await client.answerTo(id)).toMatchObject({
			error: { code: -32000, message: expect.stringContaining('lost') },
		});
		go.happen('too late');
		await eventually(() => b.transport.stats().requestsInFlight).toBe(0);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		expect(client.messages.filter((message) => message.id === id)).toHaveLength(1);
		expect([...a.errors, ...b.errors]).toEqual([]);
	});

	it('is accepted once the holder of the stream was told of it, and not before', async () => {
		const { b, streams, onB, arrived } = await open();
		const [asked, told] = [new Happening('the announcement of the call'), new Happening('its arrival')];
		const send = streams.send.bind(streams);
		streams.send = async (ids, data) => {
			if (!data.startsWith(':call ')) return send(ids, data);
			asked.happen();
			await told.wait();
			send(ids, data);
		};
		let status: number | undefined;
		const answer = onB.post(slowCall).then((response) => {
			({ status } = response);
		});
		await asked.wait();
		expect((await onB.post(slowCall)).status).toBe(400);
		expect([status, b.transport.stats().requestsInFlight]).toEqual([undefined, 0]);
		told.happen();
		await answer;
		expect(status).toBe(202);
		await arrived.wait();
	});

	it('is refused where the holder of the stream cannot be told, and may be sent again', async () => {
		const { b, streams, client, onB, arrived, go } = await open();
		const send = streams.send.bind(streams);
		streams.send = (ids, data) => {
			if (data.startsWith(':call ')) throw new SessionManagerError('unavailable', 'The store is away.');
			send(ids, data);
		};
		expect((await onB.post(slowCall)).status).toBe(503);
		expect(b.transport.stats().requestsInFlight).toBe(0);
		streams.send = send;
		expect((await onB.post(slowCall)).status).toBe(202);
		await arrived.wait();
		go.happen('done');
		expect((await client.answerTo(slowCall.id)).result.content[0].text).toBe('done');
	});

	it('is answered by its node alone where that lives', async () => {
		const { a, client, onB, arrived, go } = await open();
		const [slow, quick] = [await onB.call('slow'), await onB.call('echo', { text: 'x' })];
		await arrived.wait();
		await client.answerTo(quick);
		await a.advance(60_000);
		go.happen('done');
		expect((await client.answerTo(slow)).result.content[0].text).toBe('done');
		await a.advance(60_000);
		expect(client.messages.map((message) => message.id)).toEqual(['init', quick, slow]);
	});

	it('is not answered any more once it was cancelled', async () => {
		const { a, b, c, streams, client, onB, arrived } = await open();
		const requestId = await onB.call('slow');
		const { signal } = await arrived.wait();
		await client.at(c).notify('notifications/cancelled', { requestId });
		await eventually(() => signal.aborted).toBe(true);
		streams.delete(nodeAddress(b.transport.nodeId));
		await a.advance(60_000);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		expect(client.messages.map((message) => message.id)).toEqual(['init', client.lastId]);
	});

	it('is answered with an error where its node closes', async () => {
		const { b, client, onB, arrived } = await open();
		const id = await onB.call('slow');
		await arrived.wait();
		await b.transport.close();
		expect((await client.answerTo(id)).error?.message).toContain('The node closed');
	});

	it('shows its client nothing of what nodes tell each other', async () => {
		const { b, client, onB } = await open();
		const id = 'an id\nof "two" lines';
		expect((await onB.post({ jsonrpc: '2.0', id, method: 'ping' })).status).toBe(202);
		await client.answerTo(id);
		expect(client.stream.received).not.toContain(b.transport.nodeId);
		expect(client.stream.blocks.map(({ event, comments }) => [event, comments])).toEqual([
			['endpoint', []],
			['message', []],
			['message', []],
		]);
	});
});
