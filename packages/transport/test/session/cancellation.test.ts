import { describe, expect, it } from 'vitest';
import { Happening } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { gatedTool } from '../../../../test/support/gated-tool.ts';
import { Rig, textOf } from '../../../../test/support/rig.ts';
import { type Call, sdks, type Tool, v1McpServer } from '../../../../test/support/servers.ts';

describe.each(doors)('cancellation, through $name', (door) => {
	it.each(sdks)('aborts the handler of a $name, gets no response, and closes a stream that is open', async (sdk) => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { sdk, tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		const call = await arrived.wait();
		rig.clock.advance(200);
		const stream = await pending;
		await stream.event(0);
		const cancelled = await client.notify('notifications/cancelled', {
			requestId: client.lastRequestId,
			reason: 'enough',
		});
		expect([cancelled.status, await cancelled.text()]).toEqual([202, '']);
		await stream.ended();
		expect(call.signal.aborted).toBe(true);
		expect([stream.broken, stream.messages]).toEqual([false, []]);
		expect(rig.transport.stats()).toMatchObject({ requestsInFlight: 0, connections: 0 });
		go.happen('too late');
		expect(await client.ask('echo', { text: 'on' })).toBe('on');
	});

	it.each(sdks)('ends a POST to a $name that has no response yet, without one', async (sdk) => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { sdk, tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		const call = await arrived.wait();
		await client.notify('notifications/cancelled', { requestId: client.lastRequestId });
		const answer = await pending;
		await answer.ended();
		expect(call.signal.aborted).toBe(true);
		expect([answer.status, answer.isStream, answer.messages]).toEqual([200, true, []]);
		go.happen('too late');
		rig.clock.advance(10_000);
		expect(rig.transport.stats()).toMatchObject({ requestsInFlight: 0, connections: 0 });
	});

	it('leaves nothing to resume: the stream is over', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		await arrived.wait();
		rig.clock.advance(200);
		const stream = await pending;
		await stream.event(0);
		const seen = stream.lastEventId;
		await client.notify('notifications/cancelled', { requestId: client.lastRequestId });
		await stream.ended();
		go.happen('too late');
		const resumed = await client.get(seen);
		await resumed.ended();
		expect(resumed.messages).toEqual([]);
	});

	it.each(sdks)('frees no room while the handler of a $name goes on, under whichever id', async (sdk) => {
		const gates = Array.from({ length: 3 }, gatedTool);
		const calls: Call[] = [];
		const hold: Tool = (call) => {
			calls.push(call);
			return gates[calls.length - 1]?.tool(call) ?? '';
		};
		const rig = await Rig.open(door, { sdk, tools: { hold }, maxRequestsInFlight: 3 });
		const client = await rig.session();
		const message = { jsonrpc: '2.0', id: 'same', method: 'tools/call', params: { name: 'hold', arguments: {} } };
		for (const { arrived } of gates) {
			const pending = client.post(message);
			await arrived.wait();
			await client.notify('notifications/cancelled', { requestId: 'same' });
			expect((await pending).status).toBe(200);
		}
		expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, true, true]);
		for (const id of ['same', 'other']) expect((await client.post({ ...message, id })).status).toBe(429);
		expect(rig.transport.stats().requestsInFlight).toBe(0);
		gates[1]?.go.happen('too late');
		await eventually(() =>
			client.post({ jsonrpc: '2.0', id: 'same', method: 'ping' }).then(({ status }) => status),
		).toBe(200);
		for (const { go } of gates) go.happen('too late');
		expect(await client.ask('echo', { text: 'on' })).toBe('on');
	});

	it.each(sdks)('leaves its id to the client: what a $name still says of it is of no later call', async (sdk) => {
		const [first, second] = [gatedTool(), gatedTool()];
		const calls: Call[] = [];
		const hold: Tool = (call) => (calls.push(call) === 1 ? first : second).tool(call);
		const rig = await Rig.open(door, { sdk, tools: { hold } });
		const client = await rig.session();
		const message = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'hold', arguments: {} } };
		void client.post(message);
		await first.arrived.wait();
		await client.notify('notifications/cancelled', { requestId: 7 });
		const pending = client.post({ ...message, params: { ...message.params, _meta: { progressToken: 't' } } });
		await second.arrived.wait();
		await calls[0]?.here.log('info', 'of the first').catch(() => {});
		first.go.happen('the first');
		await calls[1]?.progress(1);
		second.go.happen('the second');
		const stream = await pending;
		await stream.ended();
		expect(stream.messages.map(({ message: { id, method } }) => id ?? method)).toEqual(['notifications/progress', 7]);
		expect(textOf(await stream.answer())).toBe('the second');
		expect(calls[1]?.signal.aborted).toBe(false);
	});

	it('stops a later call with the same id, and it alone', async () => {
		const [first, second] = [gatedTool(), gatedTool()];
		const calls: Call[] = [];
		const hold: Tool = (call) => (calls.push(call) === 1 ? first : second).tool(call);
		const rig = await Rig.open(door, { tools: { hold } });
		const client = await rig.session();
		const message = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'hold', arguments: {} } };
		for (const [n, { arrived }] of [first, second].entries()) {
			const pending = client.post(message);
			await arrived.wait();
			expect(calls[n]?.signal.aborted).toBe(false);
			expect((await client.post(message)).status).toBe(400);
			await client.notify('notifications/cancelled', { requestId: 7 });
			await (await pending).ended();
			expect(calls[n]?.signal.aborted).toBe(true);
		}
	});

	it('stops one of several calls, and no other', async () => {
		const [first, second] = [gatedTool(), gatedTool()];
		const rig = await Rig.open(door, { tools: { first: first.tool, second: second.tool } });
		const client = await rig.session();
		void client.call('first');
		const stopped = await first.arrived.wait();
		const pending = client.call('second');
		const other = await second.arrived.wait();
		await client.notify('notifications/cancelled', { requestId: stopped.requestId });
		expect([stopped.signal.aborted, other.signal.aborted]).toEqual([true, false]);
		second.go.happen('alive');
		expect(textOf(await (await pending).answer())).toBe('alive');
	});

	it('of another session has no effect, even with the same request id', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const [victim, other] = [await rig.session(), await rig.session()];
		const pending = victim.call('hold');
		const call = await arrived.wait();
		expect((await other.notify('notifications/cancelled', { requestId: call.requestId })).status).toBe(202);
		expect(call.signal.aborted).toBe(false);
		go.happen('alive');
		expect(textOf(await (await pending).answer())).toBe('alive');
	});

	it.each([{ requestId: 99 }, { requestId: 'x' }, { requestId: null }, { requestId: {} }, {}, undefined])(
		'of nothing that runs is taken and does nothing: %j',
		async (params) => {
			const rig = await Rig.open(door);
			const client = await rig.session();
			expect((await client.notify('notifications/cancelled', params)).status).toBe(202);
			expect(await client.ask('echo', { text: 'on' })).toBe('on');
		},
	);

	it('reaches a call that still waits for its server', async () => {
		const { arrived, go, tool } = gatedTool();
		const made = new Happening('the making of a server');
		const gate = new Happening('the go-ahead for the factory');
		let wait = false;
		const rig = await Rig.open(door, {
			createServer: async (session) => {
				if (wait) {
					made.happen();
					await gate.wait();
				}
				return v1McpServer.make({ tools: { hold: tool } }, session);
			},
		});
		const client = await rig.session();
		await rig.transport.release(client.id);
		wait = true;
		const pending = client.call('hold');
		await made.wait();
		const cancelling = client.notify('notifications/cancelled', { requestId: client.lastRequestId });
		// A request that comes after the cancellation tells that it has arrived.
		expect((await rig.initialize({ protocolVersion: 'x'.repeat(100) })).status).toBe(200);
		gate.happen();
		expect((await cancelling).status).toBe(202);
		const answer = await pending;
		await answer.ended();
		expect([answer.status, answer.messages]).toEqual([200, []]);
		expect(arrived.done && !(await arrived.wait()).signal.aborted).toBe(false);
		go.happen('too late');
	});

	it('is not what a lost connection means: the call goes on to its end', async () => {
		const { arrived, go, tool } = gatedTool();
		const ended = new Happening('the end of the call');
		const rig = await Rig.open(door, {
			tools: {
				hold: async (call) => {
					const text = await tool(call);
					ended.happen();
					return text;
				},
			},
		});
		const client = await rig.session();
		const pending = client.call('hold');
		const call = await arrived.wait();
		rig.clock.advance(200);
		const stream = await pending;
		await stream.event(0);
		stream.drop();
		expect(await client.ask('echo', { text: 'a round trip' })).toBe('a round trip');
		expect(call.signal.aborted).toBe(false);
		go.happen('done');
		await ended.wait();
		expect(textOf(await (await client.get(stream.lastEventId)).answer())).toBe('done');
	});
});

describe.each(doors)('progress and late words, through $name', (door) => {
	it.each(sdks)('progress of a $name goes on the stream of its call, with the token of the client', async (sdk) => {
		const rig = await Rig.open(door, {
			sdk,
			tools: {
				work: async ({ progress }) => {
					for (const step of [1, 2, 3]) await progress(step);
					return 'done';
				},
			},
		});
		const client = await rig.session();
		for (const progressToken of ['token', 7, 0, '']) {
			const stream = await client.call('work', {}, { progressToken });
			await stream.ended();
			expect(stream.messages.slice(0, 3).map(({ message }) => message)).toEqual(
				[1, 2, 3].map((progress) => ({
					jsonrpc: '2.0',
					method: 'notifications/progress',
					params: { progressToken, progress },
				})),
			);
		}
	});

	it.each(sdks)(
		'of a $name after the response: progress is dropped, a log line goes on the session stream',
		async (sdk) => {
			const { arrived, go, tool } = gatedTool();
			const rig = await Rig.open(door, { sdk, tools: { hold: tool } });
			const client = await rig.session();
			const session = await client.get();
			const pending = client.call('hold', {}, { progressToken: 't' });
			const call = await arrived.wait();
			await call.progress(1);
			go.happen('done');
			const stream = await pending;
			await stream.ended();
			expect(stream.messages).toHaveLength(2);
			await call.progress(2);
			await call.here.log('info', 'late');
			await call.progress(3);
			await rig.transport.notify.toolsChanged();
			await session.message(1);
			expect(session.messages.map(({ message }) => message.method)).toEqual([
				'notifications/message',
				'notifications/tools/list_changed',
			]);
		},
	);

	it('with nobody there to hear them do no harm', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold', {}, { progressToken: 't' });
		const call = await arrived.wait();
		await call.progress(1);
		(await pending).drop();
		for (const step of [2, 3]) await call.progress(step);
		go.happen('done');
		expect(await client.ask('echo', { text: 'on' })).toBe('on');
		await call.here.log('info', 'late');
		await call.progress(4);
		expect(await client.ask('echo', { text: 'on' })).toBe('on');
		expect(rig.errors).toEqual([]);
	});
});
