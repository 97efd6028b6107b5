import { McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { Happening } from '../../../../test/support/deadline.ts';
import { doors, toRequest, type WireRequest } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { gatedTool } from '../../../../test/support/gated-tool.ts';
import { Rig, type RigOptions, textOf } from '../../../../test/support/rig.ts';
import { type Tool, v2McpServer } from '../../../../test/support/servers.ts';
import { ask, callTool, statelessHeaders, statelessMessage } from '../../../../test/support/stateless-request.ts';

const nothing = { sessions: 0, liveServers: 0, requestsInFlight: 0, requestsWaiting: 0, connections: 0, bodyBytes: 0 };

/** A tool that runs until its signal aborts. */
function hangingTool() {
	const arrived = new Happening<string>('the call');
	const aborted = new Happening<string>('the abort');
	const tool: Tool = async ({ signal }) => {
		arrived.happen('arrived');
		await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
		aborted.happen('aborted');
		return 'too late';
	};
	return { tool, arrived, aborted };
}

const steps: Tool = async ({ progress }) => {
	for (const step of [1, 2, 3]) await progress(step);
	return 'done';
};

/** Sends a request whose client does not wait for the head of its response. */
async function leaveBefore({ door, transport }: Rig, request: WireRequest, signal: AbortSignal): Promise<undefined> {
	const sent =
		door.name === 'respond'
			? transport.respond(toRequest(door.origin, request, signal))
			: fetch(toRequest(door.origin, request, signal));
	await sent.catch(() => {});
}

describe.each(doors)('responses to requests without a session, through $name', (door) => {
	const open = (options: RigOptions = {}) =>
		Rig.open(door, { sdk: v2McpServer, stateless: {}, ...options, tools: { steps, ...options.tools } });

	it('a call that emits nothing is answered as JSON, and leaves nothing behind', async () => {
		const rig = await open();
		const answer = await callTool(rig, 'echo', { text: 'hello' });
		expect([answer.status, answer.isStream]).toEqual([200, false]);
		expect(await answer.json()).toMatchObject({
			id: 1,
			result: {
				resultType: 'complete',
				content: [{ text: 'hello' }],
				_meta: { 'io.modelcontextprotocol/serverInfo': { name: 'test-server', version: '1.2.3' } },
			},
		});
		await eventually(() => rig.transport.stats()).toEqual(nothing);
		expect(rig.errors).toEqual([]);
	});

	it('a call that emits something is a stream without event ids, which its response ends', async () => {
		const rig = await open();
		const answer = await callTool(rig, 'steps', {}, { progressToken: 'p' });
		expect(answer.isStream).toBe(true);
		expect(answer.headers.get('x-accel-buffering')).toBe('no');
		await answer.ended();
		expect(answer.broken).toBe(false);
		expect(answer.messages.map(({ eventId }) => eventId)).toEqual([undefined, undefined, undefined, undefined]);
		expect(answer.messages.map(({ message }) => message.params?.progress ?? textOf(message))).toEqual([
			1,
			2,
			3,
			'done',
		]);
		await eventually(() => rig.transport.stats()).toEqual(nothing);
	});

	it('log messages go to a request that named a level, from that level on, and to no other', async () => {
		const rig = await open({
			createServer() {
				const server = new McpServer({ name: 'logging', version: '1' }, { capabilities: { logging: {} } });
				server.registerTool('log', {}, async ({ mcpReq }) => {
					await mcpReq.log('debug', 'small');
					await mcpReq.log('error', 'large');
					return { content: [{ type: 'text', text: 'logged' }] };
				});
				return server;
			},
		});
		expect((await callTool(rig, 'log')).isStream).toBe(false);
		const answer = await callTool(rig, 'log', {}, { logLevel: 'info' });
		await answer.ended();
		expect(answer.messages.map(({ message }) => message.params?.data ?? textOf(message))).toEqual(['large', 'logged']);
	});

	it('a server that sends log messages unasked sends none either', async () => {
		const rig = await open();
		expect((await callTool(rig, 'log')).isStream).toBe(false);
		const answer = await callTool(rig, 'log', { level: 'debug' }, { logLevel: 'warning' });
		expect(answer.isStream).toBe(false);
		const loud = await callTool(rig, 'log', { level: 'error', count: 2 }, { logLevel: 'warning' });
		await loud.ended();
		expect(loud.messages.map(({ message }) => message.method)).toEqual([
			'notifications/message',
			'notifications/message',
			undefined,
		]);
	});

	it('a call that takes longer becomes a stream, which comments keep alive', async () => {
		const { tool, arrived, go } = gatedTool();
		const rig = await open({ tools: { slow: tool }, sseAfterMs: 200, keepAliveMs: 1_000 });
		const calling = callTool(rig, 'slow');
		await arrived.wait();
		expect(rig.transport.stats()).toMatchObject({ requestsInFlight: 1, connections: 0 });
		rig.clock.advance(200);
		const answer = await calling;
		expect([answer.isStream, rig.transport.stats().connections]).toEqual([true, 1]);
		rig.clock.advance(1_000);
		await eventually(() => answer.comments.length).toBe(2);
		go.happen('done');
		expect(textOf(await answer.answer())).toBe('done');
		await answer.ended();
		await eventually(() => rig.transport.stats()).toEqual(nothing);
	});

	it('with responseMode json nothing is a stream, with sse every answer of a handler is', async () => {
		const json = await open({ responseMode: 'json' });
		const one = await callTool(json, 'steps', {}, { progressToken: 'p' });
		expect([one.isStream, textOf(await one.json())]).toEqual([false, 'done']);
		const sse = await open({ responseMode: 'sse' });
		const two = await callTool(sse, 'echo', { text: 'x' });
		expect([two.isStream, textOf(await two.answer())]).toEqual([true, 'x']);
		const refused = await ask(sse, statelessMessage('own/method'));
		expect([refused.status, refused.isStream]).toEqual([404, false]);
	});

	it('a method that nobody knows is 404; what goes wrong in a handler is 200', async () => {
		const rig = await open({
			tools: {
				broken() {
					throw new Error('broken');
				},
			},
		});
		for (const method of ['own/method', 'initialize', 'resources/subscribe', 'logging/setLevel']) {
			const answer = await ask(rig, statelessMessage(method));
			expect([method, answer.status, (await answer.json()).error?.code]).toEqual([method, 404, -32601]);
		}
		const broken = await callTool(rig, 'broken');
		expect([broken.status, (await broken.json()).result.isError]).toEqual([200, true]);
		const unknown = await callTool(rig, 'nobody');
		expect(unknown.status).toBe(200);
	});

	it('what a list says comes with how long, and for whom, it may be kept', async () => {
		const rig = await open();
		for (const method of ['tools/list', 'server/discover']) {
			const { result } = await (await ask(rig, statelessMessage(method))).json();
			expect(result).toMatchObject({
				ttlMs: expect.any(Number),
				cacheScope: expect.stringMatching(/^(public|private)$/),
			});
		}
	});

	it.each(['before', 'after'])('a client that goes away cancels its call, %s the stream has begun', async (when) => {
		const { tool, arrived, aborted } = hangingTool();
		const rig = await open({ tools: { hang: tool } });
		const message = statelessMessage('tools/call', { name: 'hang', arguments: {} });
		const request = { headers: statelessHeaders(message), body: JSON.stringify(message) };
		const gone = new AbortController();
		const calling = when === 'before' ? leaveBefore(rig, request, gone.signal) : rig.send(request);
		await arrived.wait();
		if (when === 'before') gone.abort();
		else {
			rig.clock.advance(200);
			(await calling)?.drop();
		}
		expect(await aborted.wait()).toBe('aborted');
		await eventually(() => rig.transport.stats()).toEqual(nothing);
		expect(rig.errors).toEqual([]);
	});

	it.each([
		['a server for each request', { maxRequests: 2 }, 503],
		['servers that are used again', { maxRequests: 2, reuseServers: true }, 503],
		['a limit of one principal', {}, 429],
	])(
		'a handler that goes on after its client went away is counted until it ends, with %s',
		async (_, stateless, full) => {
			const gates = Array.from({ length: 2 }, gatedTool);
			let calls = 0;
			const rig = await open({
				tools: { hang: (call) => gates[calls++]?.tool(call) ?? '' },
				stateless,
				authInfo: { token: 't', clientId: 'c', scopes: [], extra: { sub: 'ann' } },
				...(full === 429 && { maxRequestsInFlight: 2 }),
			});
			for (const { arrived } of gates) {
				const calling = callTool(rig, 'hang', { text: 'x'.repeat(1_000) });
				await arrived.wait();
				rig.clock.advance(200);
				(await calling).drop();
			}
			await eventually(() => rig.transport.stats()).toMatchObject({ requestsInFlight: 0, connections: 0 });
			expect(rig.transport.stats().bodyBytes).toBeGreaterThan(2_000);
			const status = () => callTool(rig, 'echo', { text: 'x' }).then((answer) => answer.status);
			expect(await status()).toBe(full);
			gates[1]?.go.happen('too late');
			await eventually(status).toBe(200);
			gates[0]?.go.happen('too late');
			await eventually(() => rig.transport.stats().bodyBytes).toBe(0);
			expect(rig.errors).toEqual([]);
		},
	);

	it('the signal of a call that succeeded does not abort afterwards', async () => {
		let kept: AbortSignal | undefined;
		const closed = new Happening<string>('the end of the server');
		const rig = await open({
			createServer() {
				const server = new McpServer({ name: 'kept', version: '1' });
				server.registerTool('keep', {}, ({ mcpReq }) => {
					kept = mcpReq.signal;
					return { content: [{ type: 'text', text: 'kept' }] };
				});
				server.server.onclose = () => closed.happen('closed');
				return server;
			},
		});
		await (await callTool(rig, 'keep')).json();
		expect(await closed.wait()).toBe('closed');
		expect(kept?.aborted).toBe(false);
	});

	it('what a tool says after its response goes nowhere, and is no error', async () => {
		const said = new Happening<PromiseSettledResult<void>[]>('what is said too late');
		const rig = await open({
			createServer() {
				const server = new McpServer({ name: 'late', version: '1' }, { capabilities: { logging: {}, tools: {} } });
				server.registerTool('late', {}, ({ mcpReq }) => {
					const say = () => [mcpReq.log('error', 'too late'), server.server.sendToolListChanged()];
					// A turn later than the server is closed.
					setImmediate(() => setImmediate(async () => said.happen(await Promise.allSettled(say()))));
					return { content: [{ type: 'text', text: 'on time' }] };
				});
				return server;
			},
		});
		expect(textOf(await (await callTool(rig, 'late', {}, { logLevel: 'debug' })).json())).toBe('on time');
		expect((await said.wait()).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
		expect(rig.errors).toEqual([]);
	});

	it('requests of one principal, and those of all, have limits; a refusal carries the id', async () => {
		const gates = [gatedTool(), gatedTool(), gatedTool()];
		const tools = Object.fromEntries(gates.map(({ tool }, n) => [`gate${n}`, tool]));
		const rig = await open({
			tools,
			stateless: { maxRequests: 3 },
			maxRequestsInFlight: 2,
			authenticate: ({ header }) => {
				const sub = header('authorization');
				return sub === undefined ? undefined : { token: sub, clientId: 'c', scopes: [], extra: { sub } };
			},
		});
		const as = (sub: string, name: string) =>
			ask(rig, statelessMessage('tools/call', { name, arguments: {} }, {}, 'mine'), { authorization: sub });
		const running = [as('ann', 'gate0'), as('ann', 'gate1')];
		await Promise.all([gates[0]?.arrived.wait(), gates[1]?.arrived.wait()]);
		const third = await as('ann', 'echo');
		expect([third.status, third.headers.get('retry-after'), (await third.json()).id]).toEqual([429, '1', 'mine']);
		running.push(as('bob', 'gate2'));
		await gates[2]?.arrived.wait();
		const fourth = await as('carl', 'echo');
		expect([fourth.status, (await fourth.json()).id]).toEqual([503, 'mine']);
		for (const { go } of gates) go.happen('done');
		await Promise.all(running.map(async (call) => (await call).answer()));
		expect((await as('ann', 'echo')).status).toBe(200);
		await eventually(() => rig.transport.stats()).toEqual(nothing);
	});

	it('beyond maxStreams a call is answered as JSON', async () => {
		const rig = await open({ maxStreams: 1 });
		const client = await rig.session();
		await (await client.get()).event(0);
		const answer = await callTool(rig, 'steps', {}, { progressToken: 'p' });
		expect([answer.isStream, textOf(await answer.json())]).toEqual([false, 'done']);
	});

	it('drain waits for the calls that run, and close ends them with an error', async () => {
		const first = gatedTool();
		const draining = await open({ tools: { slow: first.tool } });
		const calling = callTool(draining, 'slow');
		await first.arrived.wait();
		let over = false;
		const drained = draining.transport.drain({ delayMs: 0 }).then(() => {
			over = true;
		});
		draining.clock.advance(5_000);
		expect(over).toBe(false);
		first.go.happen('done');
		expect(textOf(await (await calling).answer())).toBe('done');
		await eventually(() => {
			draining.clock.advance(50);
			return over;
		}).toBe(true);
		await drained;

		const { tool, arrived } = hangingTool();
		const closing = await open({ tools: { hang: tool } });
		const hanging = callTool(closing, 'hang');
		await arrived.wait();
		await closing.transport.close();
		const { id, error } = await (await hanging).answer();
		expect([id, error?.code]).toEqual([1, -32000]);
		expect((await callTool(closing, 'echo')).status).toBe(503);
	});

	it('a server that closes itself ends its call with an error', async () => {
		const rig = await open({
			createServer() {
				const server = new McpServer({ name: 'closing', version: '1' });
				server.registerTool('close', {}, async () => {
					await server.close();
					return { content: [] };
				});
				return server;
			},
		});
		const { error } = await (await callTool(rig, 'close')).answer();
		expect(error?.code).toBe(-32000);
		await eventually(() => rig.transport.stats()).toEqual(nothing);
	});

	it('a result that JSON cannot hold, or that is too long, becomes an error', async () => {
		const rig = await open({ tools: { long: () => 'x'.repeat(2_000) }, maxMessageBytes: 1_000 });
		const answer = await callTool(rig, 'long');
		expect((await answer.json()).error?.code).toBe(-32603);
		expect(rig.errors.map(({ message }) => message)).toEqual([expect.stringContaining('maxMessageBytes')]);
	});

	it('a client that does not read slows its tool down, and loses no response', async () => {
		// More than a client may leave unread that has had no time to read.
		const line = 'x'.repeat(50_000);
		let sent = 0;
		const rig = await open({
			tools: {
				async flood({ here }) {
					for (; sent < 500; sent++) void here.notify('notifications/message', { level: 'info', data: line });
					return 'flooded';
				},
			},
		});
		const answer = await callTool(rig, 'flood', {}, { logLevel: 'debug' });
		await answer.ended();
		expect(textOf(await answer.answer())).toBe('flooded');
		expect(answer.messages.length).toBeLessThan(500);
		expect(rig.errors.map(({ message }) => message)).toEqual([expect.stringContaining('reads too slowly')]);
	});
});
