// What goes wrong in the systems that users would pick instead, line by line: here the lines about sessions.
import { HttpTransport } from '@holdfast/transport-http';
import { afterEach, describe, expect, it } from 'vitest';
import { CountingDoor } from '../../../test/hostile/counting-door.ts';
import { toWire } from '../../../test/hostile/cut-socket.ts';
import { HealthySession } from '../../../test/hostile/healthy-session.ts';
import { sendRaw } from '../../../test/hostile/raw/raw-client.ts';
import { ServerProcess } from '../../../test/hostile/server-process.ts';
import { within } from '../../../test/support/deadline.ts';
import { doors, handleDoor, toRequest } from '../../../test/support/doors.ts';
import { at, openNodes } from '../../../test/support/nodes.ts';
import { initializeMessage, postHeaders, Rig, TestClient, tools } from '../../../test/support/rig.ts';
import { type Sdk, sdks, type Tool, v1McpServer } from '../../../test/support/servers.ts';

const form = { message: 'A word?', requestedSchema: { type: 'object', properties: { word: { type: 'string' } } } };
const ask: Tool = async ({ here, args }) =>
	(await here.elicit(form, { timeout: args['timeout'] ?? 60_000 })).content?.['word'] ?? 'none';
const elicitation = { capabilities: { elicitation: {} } };

describe.each(doors)('through $name', (door) => {
	it.each(sdks)(
		'defect 15: ids that were not issued, or were ended, are refused, and no tool of a $name runs before initialize',
		async (sdk) => {
			let calls = 0;
			const rig = await Rig.open(door, { sdk, tools: { count: () => String(++calls) } });
			const client = await rig.session();
			const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'count', arguments: {} } };
			for (const id of ['1', 'x'.repeat(32), `${client.id}x`, client.id.slice(1), client.id.toUpperCase()]) {
				expect((await rig.post(call, { 'mcp-session-id': id })).status).toBe(404);
			}
			expect((await rig.post(call)).status).toBe(400);
			await client.delete();
			expect((await client.post(call)).status).toBe(404);
			expect([(await client.get()).status, (await client.delete()).status]).toEqual([404, 404]);
			expect(calls).toBe(0);
		},
	);

	it('defect 17: questions of two nodes never share an id, and no other session can answer one', async () => {
		const { a, b } = await openNodes(door, { tools: { ask } });
		const victim = await a.session(elicitation);
		const attacker = await b.session(elicitation);
		const answer = await victim.call('ask');
		const asked = await answer.message(0);
		const attackersOwn = await (await attacker.call('ask')).message(0);
		expect(asked.id).not.toBe(attackersOwn.id);
		const stolen = { action: 'accept', content: { word: 'stolen' } };
		for (const node of [a, b]) await at(node, attacker).reply(asked.id, stolen);
		for (const guess of [0, 1, '0', '1']) await at(a, attacker).reply(guess, stolen);
		expect((await victim.reply(asked.id, { action: 'accept', content: { word: 'mine' } })).status).toBe(202);
		expect((await answer.answer()).result.content[0].text).toBe('mine');
	});

	it('defect 18: a response that reaches another node gets to the tool that asked', async () => {
		const { a, b } = await openNodes(door, { tools: { ask } });
		const client = await a.session(elicitation);
		const answer = await client.call('ask');
		const { id } = await answer.message(0);
		expect((await at(b, client).reply(id, { action: 'accept', content: { word: 'over there' } })).status).toBe(202);
		expect((await answer.answer()).result.content[0].text).toBe('over there');
	});

	it.each(sdks)('defect 18: a question of a $name that nobody answers ends with an error', async (sdk) => {
		const rig = await Rig.open(door, { sdk, tools: { ask } });
		const client = await rig.session(elicitation);
		const answer = await client.call('ask', { timeout: 20 });
		const end = await answer.find(({ id }) => id === client.lastRequestId);
		expect(JSON.stringify(end)).toMatch(/timed out/i);
		expect(rig.transport.stats()).toMatchObject({ requestsInFlight: 0, requestsWaiting: 0 });
	});

	it('defect 19: DELETE takes the subscriptions along, and no update is sent after it', async () => {
		const { a, info, streams } = await openNodes(door);
		const client = await a.session();
		await client.request('resources/subscribe', { uri: 'file:///report.md' });
		expect(info.getSubscriptions('file:///report.md')).toEqual([client.id]);
		await client.delete();
		expect(info.getSubscriptions('file:///report.md')).toEqual([]);
		expect(info.stats().subscriptions).toBe(0);
		await a.transport.notify.resourceUpdated('file:///report.md');
		await expect.poll(() => streams.stats()).toMatchObject({ events: 0, sessions: 0 });
	});

	it('defect 21: two transports that share their managers send each broadcast once', async () => {
		const { a, b } = await openNodes(door);
		const client = await a.session();
		const stream = await client.get();
		await b.transport.notify.toolsChanged();
		await a.transport.notify.promptsChanged();
		await a.transport.notify.resourcesChanged();
		await stream.message(2);
		expect(stream.messages.map(({ message }) => message.method)).toEqual([
			'notifications/tools/list_changed',
			'notifications/prompts/list_changed',
			'notifications/resources/list_changed',
		]);
	});

	it('defect 23: an unknown session is 404 for every verb, never 401', async () => {
		const rig = await Rig.open(door);
		const known = await rig.session();
		const unknown = new TestClient(rig, 'unknown', known.protocolVersion, known.result);
		const verbs = [
			unknown.request('ping'),
			unknown.notify('notifications/initialized'),
			unknown.get(),
			unknown.delete(),
		];
		expect((await Promise.all(verbs)).map(({ status }) => status)).toEqual([404, 404, 404, 404]);
	});

	it.each(['http://localhost.evil.com', 'http://localhost:80.evil.com', 'http://evil.com/localhost', 'null'])(
		'defect 24: the origin %s does not pass for a local one',
		async (origin) => {
			const rig = await Rig.open(door);
			const answer = await rig.post(initializeMessage(), { origin });
			expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([403, null]);
		},
	);

	it('defect 24: a body over 4 MiB is refused before it is parsed, and so is a version that never was', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		expect((await client.post(`"${'x'.repeat(4 * 1024 * 1024)}"`)).status).toBe(413);
		const mebibyte = 'x'.repeat(1024 * 1024);
		const chunks = ['"', mebibyte, mebibyte, mebibyte, mebibyte, '"'];
		expect((await rig.send({ headers: { ...postHeaders, ...client.headers }, body: chunks })).status).toBe(413);
		const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
		expect((await client.post(ping, { 'mcp-protocol-version': '1999-01-01' })).status).toBe(400);
	});

	it('defect 25: sessions that nobody uses are removed', async () => {
		const { a, clock, info } = await openNodes(door);
		for (let n = 0; n < 224; n++) await a.initialize();
		expect([a.transport.stats().sessions, info.stats().sessions]).toEqual([224, 224]);
		clock.advance(61 * 60_000);
		expect(info.stats().sessions).toBe(0);
		await expect.poll(() => a.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0 });
	});

	it('defect 25: what strangers may hold is bounded: refused initializes leave nothing, servers beyond the limit are freed', async () => {
		const { a, info } = await openNodes(door, { maxLiveServers: 5 });
		for (let n = 0; n < 50; n++) await a.post({ ...initializeMessage(), params: { protocolVersion: '2025-11-25' } });
		expect(info.stats().sessions).toBe(0);
		const clients = [];
		for (let n = 0; n < 50; n++) clients.push(await a.session());
		await expect.poll(() => a.transport.stats().liveServers).toBeLessThanOrEqual(5);
		for (const client of clients) expect(await client.ask('echo', { text: 'here' })).toBe('here');
	});

	it.each(sdks)(
		'defect 26: after a deploy, the session of a $name goes on without another initialize',
		async (sdk: Sdk) => {
			const { a, b } = await openNodes(door, { sdk });
			const before = await a.session();
			await a.transport.close();
			const after = at(b, before);
			expect(await after.ask('echo', { text: 'still here' })).toBe('still here');
			expect((await after.get()).status).toBe(200);
		},
	);

	it.each(sdks)(
		'defect 27: the response of a $name to initialize holds what MCP names, and no option of ours',
		async (sdk) => {
			const rig = await Rig.open(door, { sdk, maxBatch: 7, retryMs: 77 });
			const { result } = await (await rig.initialize()).json();
			expect(Object.keys(result).sort()).toEqual(['capabilities', 'protocolVersion', 'serverInfo']);
			expect(result.serverInfo).toEqual({ name: 'test-server', version: '1.2.3' });
		},
	);
});

describe('a process', () => {
	let server: ServerProcess | undefined;

	afterEach(() => server?.stop());

	it.each(['v1', 'v2'] as const)(
		'defect 16: with SDK %s survives bodies that are no message, from strangers and from a session',
		async (sdk) => {
			server = await ServerProcess.start(sdk);
			const odd = [
				{},
				[],
				null,
				5,
				'x',
				[null],
				[[]],
				{ jsonrpc: '2.0' },
				{ jsonrpc: '2.0', id: 1 },
				{ jsonrpc: '2.0', result: {} },
			];
			const malformed = [
				{ jsonrpc: '2.0', id: null, result: {} },
				{ jsonrpc: '2.0', id: 1, error: 5 },
				{ jsonrpc: '2.0', id: 0, result: 1 },
			];
			for (const port of Object.values(server.ports)) {
				const healthy = await HealthySession.open(port);
				for (const body of [...odd, ...malformed]) {
					for (const session of [{}, { 'mcp-session-id': healthy.id }]) {
						const init = { method: 'POST', headers: { ...postHeaders, ...session }, body: JSON.stringify(body) };
						const response = await within(fetch(`http://127.0.0.1:${port}/mcp`, init), 'an answer');
						expect(response.status).toBe(400);
						expect(await response.json()).toMatchObject({ error: { code: -32600 } });
					}
				}
				await healthy.expectWell();
			}
			expect(server.trouble).toBeUndefined();
		},
	);
});

it('defect 24: a body of 64 MiB is refused as soon as it is announced', async () => {
	const door = new CountingDoor();
	await Rig.open(door);
	const { head } = toWire('POST', { ...postHeaders, 'content-length': String(64 * 1024 * 1024) });
	const { answers } = await sendRaw(door.port, Buffer.from(head), { answers: 1 });
	expect(answers.map(({ status }) => status)).toEqual([413]);
});

it('defect 20: a replay holds nothing of another session, though all session streams have one name', async () => {
	const { a, b } = await openNodes(handleDoor, {
		tools: { ...tools, say: ({ args, outside }) => outside.log('info', args['text']).then(() => 'said') },
	});
	const [one, other] = [await a.session(), await a.session()];
	const stream = await one.get();
	await one.ask('say', { text: 'secret 1' });
	await one.ask('say', { text: 'secret 2' });
	const { eventId } = await stream.sseMessage(0);
	await other.ask('say', { text: 'own' });
	const replay = await at(b, other).get(eventId);
	await replay.find(({ params }) => params?.data === 'own');
	expect(replay.received).not.toContain('secret');
});

it('defect 22: a session outlives the token it was opened with, and tools cannot write whose it is', async () => {
	const seen: unknown[] = [];
	const whose: Tool = ({ session, authInfo }) => {
		expect(() => Object.assign(session, { principal: 'somebody else' })).toThrow(TypeError);
		expect(() => Object.assign(session, { claims: { sub: 'somebody else' } })).toThrow(TypeError);
		seen.push(authInfo.token);
		return String(session.principal);
	};
	const transport = new HttpTransport((session) => v1McpServer.make({ tools: { whose } }, session));
	const send = (token: string, body: unknown, headers: Record<string, string> = {}) =>
		transport.respond(
			toRequest('http://127.0.0.1', { headers: { ...postHeaders, ...headers }, body: JSON.stringify(body) }),
			{
				authInfo: { token, clientId: 'client', scopes: [], extra: { iss: 'issuer', sub: 'alice' } },
			},
		);
	const opened = await send('first token', initializeMessage());
	const session = { 'mcp-session-id': opened?.headers.get('mcp-session-id') ?? '' };
	for (const token of ['first token', 'refreshed token']) {
		const answer = await send(
			token,
			{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whose', arguments: {} } },
			session,
		);
		expect(await answer?.json()).toMatchObject({ result: { content: [{ text: 'issuer alice' }] } });
	}
	expect(seen).toEqual(['first token', 'refreshed token']);
	await transport.close();
});
