import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { HttpTransport } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/server';
import { expect, it } from 'vitest';
import { settle } from '../../../../test/support/deadline.ts';
import { handleDoor, toRequest, type WireRequest } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { heapInUse } from '../../../../test/support/heap-in-use.ts';
import { initializeMessage, LATEST, postHeaders, Rig } from '../../../../test/support/rig.ts';
import type { Tool } from '../../../../test/support/servers.ts';
import { LONG_MS, MEBIBYTE, makeNode, nothing, times } from './session-leak-cases.ts';

it('after 20,000 sessions came and went through `respond`, every count is zero and the heap is back', async () => {
	const node = makeNode();
	const transport = new HttpTransport(() => new McpServer({ name: 'small', version: '1' }), node.options);
	const send = async (request: WireRequest) => {
		const response = await transport.respond(toRequest('http://127.0.0.1', request));
		if (response === null || !response.ok) throw new Error(`Refused: ${response?.status}`);
		return response;
	};
	const visit = async (sessions: number) => {
		await times(sessions, 16, async (index) => {
			const initialized = await send({ headers: postHeaders, body: JSON.stringify(initializeMessage()) });
			const headers = {
				'mcp-session-id': initialized.headers.get('mcp-session-id') ?? '',
				'mcp-protocol-version': LATEST,
			};
			const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
			await send({ headers: { ...postHeaders, ...headers }, body });
			const stream = await send({ method: 'GET', headers: { accept: 'text/event-stream', ...headers } });
			// One third ends by DELETE, one is left by its client, and one expires with an open stream.
			if (index % 3 === 0) await send({ method: 'DELETE', headers });
			else if (index % 3 === 1) await stream.body?.cancel();
		});
		expect(transport.stats().liveServers).toBeLessThanOrEqual(2_000);
		await settle();
		node.clock.advance(LONG_MS);
		await eventually(() => node.stats(transport)).toEqual(nothing);
	};
	await visit(1_000);
	const before = await heapInUse();
	for (let part = 0; part < 4; part++) await visit(5_000);
	expect((await heapInUse()) - before).toBeLessThan(2 * MEBIBYTE);
	await transport.close();
}, 60_000);

it('sessions that are suspended cost their node nothing, however many there are', async () => {
	const folder = await mkdtemp(join(tmpdir(), 'holdfast-suspended-'));
	const sessionManager = sqliteSessionManager(join(folder, 'sessions.db'));
	const transport = new HttpTransport(() => new McpServer({ name: 'small', version: '1' }), {
		sessionManager,
		...{ suspendAfterMs: 500, maxSessionsPerPrincipal: 0, maxNewSessionsPerPrincipalPerMinute: 0 },
	});
	const comeAndSleep = async (sessions: number) => {
		await times(sessions, 16, async () => {
			const body = JSON.stringify(initializeMessage());
			const response = await transport.respond(toRequest('http://127.0.0.1', { headers: postHeaders, body }));
			expect(response?.status).toBe(200);
		});
		await eventually(() => transport.stats().sessions).toBe(0);
	};
	try {
		await comeAndSleep(3_000);
		const before = await heapInUse();
		await comeAndSleep(10_000);
		// Less than 26 bytes for each of them.
		expect((await heapInUse()) - before).toBeLessThan(MEBIBYTE / 4);
	} finally {
		await transport.close();
		await sessionManager.close();
		await rm(folder, { recursive: true });
	}
}, 60_000);

it('keeps to its number of live servers while every session holds a stream, and more than that are busy', async () => {
	const gates: (() => void)[] = [];
	const hang: Tool = () => new Promise((resolve) => gates.push(() => resolve('')));
	const rig = await Rig.open(handleDoor, { tools: { hang }, maxLiveServers: 5 });
	const idle = async () => {
		const client = await rig.session();
		await client.get();
		return client;
	};
	for (let n = 0; n < 100; n++) {
		await idle();
		expect(rig.transport.stats().liveServers).toBeLessThanOrEqual(5);
	}
	const calls: Promise<unknown>[] = [];
	for (let n = 0; n < 80; n++) calls.push((await idle()).ask('hang'));
	await eventually(() => gates.length).toBe(80);
	for (let n = 0; n < 100; n++) {
		await idle();
		expect(rig.transport.stats().liveServers).toBeLessThanOrEqual(80 + 5);
	}
	for (const open of gates) open();
	await Promise.all(calls);
	await idle();
	await idle();
	await eventually(() => rig.transport.stats().liveServers).toBeLessThanOrEqual(5);
});
