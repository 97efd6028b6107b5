import type { NodeProcess } from '@holdfast/local-cluster';
import { statusOf } from '@holdfast/session-manager/custom';
import { SignJWT } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../../../../test/support/until.ts';
import { useCluster } from './support/cluster.ts';
import { everythingIn, openOperator } from './support/operator.ts';
import { numbers, range, structured, WireSession } from './support/wire-session.ts';

const secret = 'a secret that every node shares, and no client';
const cluster = useCluster({
	flags: [
		...['--auth', 'jwt', '--jwt-secret', secret],
		...['--suspend-after-ms', '1000', '--keep-ended-ms', '600000', '--max-sessions-per-principal', '4'],
	],
});
const issuer = 'https://issuer.example';

/** A token of a person whom no other test knows. */
async function somebody(): Promise<{ readonly token: string; readonly principal: string }> {
	const sub = `person ${crypto.randomUUID()}`;
	const token = await new SignJWT({ iss: issuer, sub })
		.setProtectedHeader({ alg: 'HS256' })
		.sign(new TextEncoder().encode(secret));
	return { token, principal: `${issuer} ${sub}` };
}

/** Ends a node as an operator or as a crash does, and starts it again at its address. */
async function restart(index: number, how: 'stop' | 'kill'): Promise<void> {
	const node = cluster.node(index);
	await node[how]();
	await node.restart();
}

describe('suspension', () => {
	test('comes by itself when no node uses a session; the next request resumes it on any node, with all it had', async () => {
		const { info } = openOperator(cluster.redis);
		const session = await WireSession.open(cluster.node(0), {}, (await somebody()).token);
		await session.result(cluster.node(0), 'state_set', { key: 'note', value: 'kept' });
		await session.request(cluster.node(1), 'resources/subscribe', { uri: 'test://watched-resource' });
		await session.request(cluster.node(1), 'logging/setLevel', { level: 'error' });
		await until('it is suspended', async () => (await info.read(session.id))?.status === 'suspended');
		expect(await session.info(cluster.node(2))).toMatchObject({
			status: 'active',
			logLevel: 'error',
			subscriptions: ['test://watched-resource'],
		});
		expect(await session.result(cluster.node(1), 'state_get', { key: 'note' })).toEqual({ value: 'kept' });
		await until('the store knows', async () => {
			const record = await info.read(session.id);
			return record !== undefined && statusOf(record) === 'active';
		});
	});

	test('is not for a session that one node uses while another does not', async () => {
		const { info } = openOperator(cluster.redis);
		const session = await WireSession.open(cluster.node(0), {}, (await somebody()).token);
		const call = await session.call(cluster.node(1), 'sleep', { ms: 3_000 });
		expect(structured(await call.answer())).toBeDefined();
		const record = await info.read(session.id);
		expect(record && statusOf(record)).toBe('active');
	});

	test('by an operator reaches every node, and its streams come back', async () => {
		const { info, transport } = openOperator(cluster.redis);
		const session = await WireSession.open(cluster.node(0), {}, (await somebody()).token);
		const stream = await session.open(cluster.node(1));
		await session.result(cluster.node(2), 'log_session', { count: 1 });
		await stream.message(0);
		expect(await transport.suspend(session.id)).toBe(true);
		await stream.ended();
		expect((await info.read(session.id))?.status).toBe('suspended');
		const back = await session.open(cluster.node(2), stream.lastEventId);
		await session.result(cluster.node(0), 'log_session', { count: 2 });
		await back.message(1);
	});
});

describe('the end of a session', () => {
	test('is kept for audit in the store, also when the node that ended it dies at once', async () => {
		onTestFinished(() => cluster.heal());
		const { info } = openOperator(cluster.redis);
		const session = await WireSession.open(cluster.node(0), {}, (await somebody()).token);
		await session.result(cluster.node(1), 'state_set', { key: 'note', value: 'evidence' });
		await session.result(cluster.node(0), 'end_session', { reason: 'done' });
		await cluster.node(0).kill();
		for (const index of [1, 2]) expect(await session.ping(cluster.node(index))).toBe(404);
		expect(await info.read(session.id)).toBeUndefined();
		expect(await info.readEnded(session.id)).toMatchObject({ reason: 'done', record: { id: session.id } });
		expect([...(await info.listState(session.id)).keys()]).toEqual(['note']);
	});
});

describe('sessions of one principal', () => {
	test('are counted right while nodes die: as many as may be, and no more; the one unused longest makes room', async () => {
		onTestFinished(() => cluster.heal());
		const { info } = openOperator(cluster.redis);
		const { token, principal } = await somebody();
		// Those that ended are kept, and are not living.
		const living = async () => {
			const records = await Promise.all((await info.sessionsOf(principal)).map((id) => info.read(id)));
			return records.filter((record) => record !== undefined).length;
		};
		const sessions = [];
		for (const index of range(0, 3)) sessions.push(await WireSession.open(cluster.node(index), {}, token));
		await cluster.node(0).kill();
		expect(await living()).toBe(4);
		for (const index of [1, 2]) {
			const newer = await WireSession.open(cluster.node(index), {}, token);
			expect(await newer.ping(cluster.node(3 - index))).toBe(200);
			expect(await sessions[index - 1]?.ping(cluster.node(3 - index))).toBe(404);
			expect(await living()).toBe(4);
		}
		await sessions[2]?.end(cluster.node(1));
		expect(await living()).toBe(3);
		await Promise.allSettled(range(1, 10).map((n) => WireSession.open(cluster.node(1 + (n % 2)), {}, token)));
		expect(await living()).toBe(4);
		await cluster.node(0).restart();
		await WireSession.open(cluster.node(0), {}, token);
		expect(await living()).toBe(4);
		expect(await WireSession.open(cluster.node(0), {}, (await somebody()).token)).toBeDefined();
	});
});

test('a node that is told to stop lets its calls end, and its streams go on elsewhere', async () => {
	let stopped: ReturnType<NodeProcess['stop']> | undefined;
	onTestFinished(async () => {
		await stopped;
		await cluster.heal();
	});
	const session = await WireSession.open(cluster.node(0), {}, (await somebody()).token);
	const stream = await session.open(cluster.node(0));
	await session.result(cluster.node(1), 'log_session', { count: 1 });
	await stream.message(0);
	const [loud, silent] = [session.nextId(), session.nextId()];
	const logging = await session.call(cluster.node(0), 'log_many', { count: 4, intervalMs: 400 }, loud);
	// The node has accepted it for certain once its response begins.
	const sleeping = await session.call(cluster.node(0), 'sleep', { ms: 1_000 }, silent);
	await logging.message(0);
	stopped = cluster.node(0).stop();
	await stream.ended();
	const elsewhere = await session.open(cluster.node(2), stream.lastEventId);
	await session.result(cluster.node(1), 'log_session', { count: 2 });
	expect(structured(await logging.answer())).toMatchObject({ count: 4 });
	expect(structured(await sleeping.answer())).toBeDefined();
	await elsewhere.message(1);
	expect(numbers(stream).concat(numbers(elsewhere))).toEqual([1, 1, 2]);
	expect(numbers(logging)).toEqual([1, 2, 3, 4]);
	expect((await stopped).code).toBe(0);
});

describe('marks', () => {
	test('a rolling restart of all nodes lets nothing seem new that was seen before', { timeout: 60_000 }, async () => {
		onTestFinished(() => cluster.heal());
		const session = await WireSession.open(cluster.node(0), {}, (await somebody()).token);
		const isNew = async (index: number, mark: string) =>
			(await session.result(cluster.node(index), 'mark', { mark })).isNew;
		const seen: string[] = [];
		for (const index of range(0, 2)) {
			const marks = range(1, 20).map((n) => `${index}-${n}`);
			// Made right before the node is told to stop: only its goodbye can write them.
			for (const mark of marks) expect(await isNew(index, mark)).toBe(true);
			await restart(index, 'stop');
			seen.push(...marks);
			for (const mark of marks) expect(await isNew((index + 1) % 3, mark)).toBe(false);
		}
		for (const mark of seen) expect(await isNew(0, mark)).toBe(false);
	});

	test('after kill -9 only those of the last second may be missing', async () => {
		onTestFinished(() => cluster.heal());
		const { info } = openOperator(cluster.redis);
		const session = await WireSession.open(cluster.node(0), {}, (await somebody()).token);
		expect(await session.result(cluster.node(0), 'mark', { mark: 'early' })).toMatchObject({ isNew: true });
		await until('it is written', async () => (await info.listState(session.id)).has('marks'));
		await session.result(cluster.node(0), 'mark', { mark: 'late' });
		await restart(0, 'kill');
		for (const index of range(0, 2)) {
			expect(await session.result(cluster.node(index), 'mark', { mark: 'early' })).toMatchObject({ isNew: false });
		}
	});
});

describe('the data of a person', () => {
	test('is listed, exported and erased over all sessions of all nodes; of others nothing is touched', async () => {
		const { client, info, transport } = openOperator(cluster.redis);
		const [person, other] = [await somebody(), await somebody()];
		const [living, ended] = [
			await WireSession.open(cluster.node(0), {}, person.token),
			await WireSession.open(cluster.node(1), {}, person.token),
		];
		const untouched = await WireSession.open(cluster.node(1), {}, other.token);
		await living.result(cluster.node(2), 'state_set', { key: 'cart', value: ['a unique book'] });
		await ended.result(cluster.node(2), 'state_set', { key: 'cart', value: ['another unique book'] });
		await untouched.result(cluster.node(2), 'state_set', { key: 'cart', value: ['mine'] });
		await ended.end(cluster.node(0));
		const stream = await living.open(cluster.node(1));
		await living.result(cluster.node(2), 'log_session', { count: 1 });
		await stream.message(0);

		const listed = await transport.principals.list(person.principal);
		expect(listed.map(({ id, status }) => [id, status])).toEqual([
			[living.id, 'active'],
			[ended.id, 'terminated'],
		]);
		const exported = JSON.stringify(await transport.principals.export(person.principal));
		for (const word of ['a unique book', 'another unique book', person.principal]) expect(exported).toContain(word);
		for (const word of [living.id, ended.id, other.principal, 'mine']) expect(exported).not.toContain(word);

		expect(await transport.principals.erase(person.principal)).toBe(2);
		await stream.ended();
		for (const index of range(0, 2)) {
			expect(await living.ping(cluster.node(index))).toBe(404);
			expect(await untouched.ping(cluster.node(index))).toBe(200);
		}
		expect(await info.readEnded(ended.id)).toBeUndefined();
		await until('Redis has nothing of it', async () => {
			const everything = await everythingIn(client);
			return [living.id, ended.id, person.principal, 'unique book'].every((word) => !everything.includes(word));
		});
		expect(await everythingIn(client)).toContain('mine');
	});
});

test('ids that are stored hashed are nowhere in Redis', async () => {
	const { client, transport } = openOperator(cluster.redis, { hashSessionIds: true });
	const send = (method: string, id: string | undefined, body?: object) =>
		transport.respond(
			new Request('http://127.0.0.1/mcp', {
				method,
				headers: {
					host: '127.0.0.1',
					accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
					'content-type': 'application/json',
					...(id !== undefined && { 'mcp-session-id': id }),
				},
				...(body !== undefined && { body: JSON.stringify({ jsonrpc: '2.0', ...body }) }),
			}),
		);
	const clientInfo = { name: 'a unique client', version: '1' };
	const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
	const opened = await send('POST', undefined, { id: 1, method: 'initialize', params });
	const id = opened?.headers.get('mcp-session-id') ?? '';
	expect(id).toMatch(/^\S{20,}$/);
	const stream = await send('GET', id);
	expect(stream?.status).toBe(200);
	await transport.notify.toolsChanged();
	expect((await send('POST', id, { id: 2, method: 'ping' }))?.status).toBe(200);
	const everything = await everythingIn(client);
	expect(everything).toContain('a unique client');
	expect(everything).not.toContain(id);
	await stream?.body?.cancel();
	expect((await send('DELETE', id))?.status).toBe(200);
	expect((await send('POST', id, { id: 3, method: 'ping' }))?.status).toBe(404);
});
