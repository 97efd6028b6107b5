import type { ObservedEvent } from '@holdfast/transport';
import type { HttpTransport } from '@holdfast/transport-http';
import { expect, onTestFinished, test } from 'vitest';
import { RedisServer } from '../../../../test/support/redis/redis-server.ts';
import { openOperator } from './support/operator.ts';

/** Opens a node that notes what it tells its observer. */
function openNode(redis: RedisServer) {
	const events: ObservedEvent[] = [];
	const { transport } = openOperator(redis, { observe: { event: (event) => events.push(event) } });
	const of = (type: ObservedEvent['type']) => events.filter((event) => event.type === type);
	return { transport, of };
}

function send(transport: HttpTransport, method: string, sessionId: string | undefined, body?: object) {
	const headers = {
		accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
		...(body !== undefined && { 'content-type': 'application/json' }),
		...(sessionId !== undefined && { 'mcp-session-id': sessionId }),
	};
	return transport.fetch(
		new Request('http://localhost/mcp', { method, headers, ...(body && { body: JSON.stringify(body) }) }),
	);
}

test('two nodes on Redis tell of a session, a takeover, a suspension and an end, each on the node where it is', async () => {
	const redis = await RedisServer.create();
	onTestFinished(() => redis.dispose());
	const [a, b] = [openNode(redis), openNode(redis)];
	const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } };
	const opened = await send(a.transport, 'POST', undefined, { jsonrpc: '2.0', id: 1, method: 'initialize', params });
	await opened.text();
	const sessionId = opened.headers.get('mcp-session-id') ?? '';
	const counts = (type: ObservedEvent['type']) => [a.of(type).length, b.of(type).length];
	expect(counts('session-opened')).toEqual([1, 0]);

	const first = await send(a.transport, 'GET', sessionId);
	const second = await send(b.transport, 'GET', sessionId);
	await expect.poll(() => counts('takeover'), { timeout: 5_000 }).toEqual([1, 0]);
	await first.text();
	await expect.poll(() => counts('stream-opened'), { timeout: 5_000 }).toEqual([1, 1]);

	expect(await a.transport.suspend(sessionId, { by: 'bob' })).toBe(true);
	await expect.poll(() => counts('stream-ended'), { timeout: 5_000 }).toEqual([1, 1]);
	await second.text();
	expect(counts('session-suspended')).toEqual([1, 0]);
	await (await send(b.transport, 'POST', sessionId, { jsonrpc: '2.0', id: 2, method: 'ping' })).text();
	await expect.poll(() => counts('session-restored'), { timeout: 5_000 }).toEqual([0, 1]);
	expect(counts('operation-ended')).toEqual([1, 1]);

	await b.transport.terminate(sessionId, 'over', { by: 'bob' });
	expect(counts('session-ended')).toEqual([0, 1]);
	expect(counts('audit')).toEqual([1, 1]);
	expect(counts('takeover')).toEqual([1, 0]);
	expect(counts('gap')).toEqual([0, 0]);
	expect(a.of('store-call').every((call) => !('error' in call))).toBe(true);
}, 30_000);
