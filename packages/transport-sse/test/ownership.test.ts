import { HttpTransport } from '@holdfast/transport-http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { initializeMessage } from '../../../test/support/rig.ts';
import { v1McpServer } from '../../../test/support/servers.ts';
import { openSseNodes } from './support/sse-nodes.ts';
import { SseRig } from './support/sse-rig.ts';

const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'owner', arguments: {} } };
const messages = [
	call,
	{ jsonrpc: '2.0', method: 'notifications/initialized' },
	{ jsonrpc: '2.0', id: 'x:1', result: {} },
	{ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } },
	initializeMessage(),
];

/** Everybody says who they are: `Bearer subject`. */
const options = {
	authenticate({ header }: { header(name: string): string | undefined }) {
		const token = header('authorization')?.slice('Bearer '.length);
		if (token === undefined) return { status: 401 as const, message: 'Who are you?' };
		const extra = { iss: 'https://issuer', sub: token.split('.')[0] };
		return { token, clientId: 'app', scopes: [], extra };
	},
	tools: { owner: ({ session }: { session: { principal: string | undefined } }) => String(session.principal) },
};
const alice = { authorization: 'Bearer alice.1' };
const refreshed = { authorization: 'Bearer alice.2' };
const bob = { authorization: 'Bearer bob.1' };

describe.each(doors)('a session that somebody opened, through $name,', (door) => {
	it('takes messages of nobody else, on any node, before and after initialize', async () => {
		const { a, b } = await openSseNodes(door, options);
		const client = await a.open(alice);
		const tryAll = async (headers: Record<string, string>) => {
			const statuses: number[] = [];
			for (const message of messages) {
				for (const node of [a, b]) statuses.push((await node.post(client.endpoint, message, headers)).status);
			}
			return statuses;
		};
		expect(new Set(await tryAll(bob))).toEqual(new Set([403]));
		await client.initialize();
		expect(new Set(await tryAll(bob))).toEqual(new Set([403]));
		expect(new Set(await tryAll({}))).toEqual(new Set([401]));
		expect(await client.at(b).ask('owner')).toBe('https://issuer alice');
		expect(client.messages.filter(({ id }) => id === 'init')).toHaveLength(1);
	});

	it('goes on with a refreshed token', async () => {
		const rig = await SseRig.open(door, options);
		const client = await rig.session({}, alice);
		expect((await rig.post(client.endpoint, call, refreshed)).status).toBe(202);
		expect(await client.answerTo(1)).toMatchObject({ result: {} });
	});

	it('ends with its token, stream and all, unless a refreshed one was seen on any node', async () => {
		const { a, b, clock } = await openSseNodes(door, {
			...options,
			authenticate({ header }) {
				const [sub, expiresAt] = header('authorization')?.slice('Bearer '.length).split('.') ?? [];
				return { token: 't', clientId: 'app', scopes: [], expiresAt: Number(expiresAt), extra: { sub } };
			},
		});
		// The clock began at 1,000 seconds.
		const [kept, lost] = [
			await a.session({}, { authorization: 'Bearer alice.1600' }),
			await a.session({}, { authorization: 'Bearer bob.1600' }),
		];
		await b.post(kept.endpoint, call, { authorization: 'Bearer alice.2200' });
		await a.advance(599_000);
		expect(lost.stream.over).toBe(false);
		clock.advance(1_100);
		await lost.stream.ended();
		await a.advance(598_000);
		expect(kept.stream.over).toBe(false);
		await a.advance(2_000);
		await kept.stream.ended();
	});

	it('looks to others as if it were not there where that is wanted', async () => {
		const rig = await SseRig.open(door, { ...options, foreignSession: 'not-found' });
		const client = await rig.session({}, alice);
		expect((await rig.post(client.endpoint, call, bob)).status).toBe(404);
	});

	it('is bound to the credential where nobody verifies it', async () => {
		const rig = await SseRig.open(door);
		const client = await rig.session({}, alice);
		expect((await rig.post(client.endpoint, call, bob)).status).toBe(403);
		expect((await rig.post(client.endpoint, call, alice)).status).toBe(202);
	});

	it('challenges a stranger who asks for a stream, and opens none', async () => {
		const rig = await SseRig.open(door, options);
		const refused = await rig.get();
		expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
		expect(rig.transport.stats().sessions).toBe(0);
	});
});

describe.each(doors)('sessions of two transports on one pair of managers, through $name,', (door) => {
	it('are unknown to the other', async () => {
		const { a, streams, info, clock } = await openSseNodes(door);
		const http = new HttpTransport((session) => v1McpServer.make({ tools: {} }, session), {
			sessionManager: { streams, info },
			clock,
		});
		const opened = await door.open(http);
		onTestFinished(async () => {
			await http.close();
			await opened.close();
		});
		const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
		const initialized = await opened.send({ headers, body: JSON.stringify(initializeMessage()) });
		const httpId = initialized.headers.get('mcp-session-id') ?? '';
		expect(initialized.status).toBe(200);
		const client = await a.session();

		for (const message of messages) {
			const body = JSON.stringify(message);
			expect((await opened.send({ headers: { ...headers, 'mcp-session-id': client.id }, body })).status).toBe(404);
			expect((await a.post(`/messages?sessionId=${httpId}`, message)).status).toBe(404);
		}
		for (const method of ['GET', 'DELETE']) {
			const refused = await opened.send({ method, headers: { ...headers, 'mcp-session-id': client.id } });
			expect(refused.status).toBe(404);
		}
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		expect(client.stream.over).toBe(false);
	});
});
