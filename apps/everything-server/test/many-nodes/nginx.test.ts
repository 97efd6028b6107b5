import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Cluster, nginxConfig, useCluster } from './support/cluster.ts';
import { everyCapability, numbers, range, structured, WireSession } from './support/wire-session.ts';

const cluster = useCluster();

/** The first bytes of a stream that says nothing more for long, in milliseconds. */
const AT_ONCE_MS = 1_000;
/** A body that nginx passes on, and what it is made of. */
const BODY_BYTES = 4_000_000;
const PART = ' '.repeat(50_000);

describe('through nginx with the shipped configuration', () => {
	test('the first bytes of a session stream arrive at once, though nothing follows', async () => {
		const session = await WireSession.open(cluster.balancer);
		const began = performance.now();
		const stream = await session.open(cluster.balancer);
		await stream.event(0);
		expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
	});

	test('each message of a call arrives when it is sent, not when the call is over', async () => {
		const session = await WireSession.open(cluster.balancer, everyCapability);
		const call = await session.call(cluster.balancer, 'ask', { message: 'Well?' });
		const question = await call.find(({ method }) => method === 'elicitation/create');
		expect(call.over).toBe(false);
		expect((await session.answer(cluster.balancer, question, { action: 'decline' })).status).toBe(202);
		expect(structured(await call.answer())).toMatchObject({ action: 'decline' });
		await call.ended();
	});

	test('a stream that is cut goes on wherever the next request is sent', async () => {
		const session = await WireSession.open(cluster.balancer);
		let stream = await session.call(cluster.balancer, 'log_many', { count: 60, intervalMs: 10 });
		const received: number[] = [];
		for (const _ of range(1, 4)) {
			await stream.message(4);
			received.push(...numbers(stream));
			stream.drop();
			stream = await session.open(cluster.balancer, stream.lastEventId);
		}
		expect(structured(await stream.answer())).toMatchObject({ count: 60 });
		expect([...received, ...numbers(stream)]).toEqual(range(1, 60));
	});

	test('a client that goes away is noticed by the node', async () => {
		const session = await WireSession.open(cluster.balancer);
		const stream = await session.open(cluster.balancer);
		const isHeld = async () => (await channels(session)) > 0;
		await expect.poll(isHeld).toBe(true);
		stream.drop();
		await expect.poll(isHeld, { timeout: 5_000 }).toBe(false);
	});

	test('the largest body that a node takes gets through', async () => {
		const session = await WireSession.open(cluster.balancer);
		const answer = await session.request(cluster.balancer, 'ping', { _meta: { padding: 'x'.repeat(4_190_000) } });
		expect(answer.status).toBe(200);
	});

	test.each([
		[404, { 'mcp-session-id': 'unknown-session' }],
		[406, { accept: 'text/html' }],
		[415, { 'content-type': 'text/plain' }],
		[415, { 'content-encoding': 'gzip' }],
	])('a refusal with %s reaches a client that is still sending its body: %j', async (status, own) => {
		const headers = {
			host: 'localhost',
			accept: 'application/json, text/event-stream',
			'content-type': 'application/json',
			'content-length': String(BODY_BYTES),
			connection: 'close',
			...own,
		};
		const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
		const socket = connect(cluster.balancer.port, '127.0.0.1').pause();
		onTestFinished(() => void socket.destroy());
		socket.write(`POST /mcp HTTP/1.1\r\n${lines.join('')}\r\n`);
		for (let sent = 0; sent < BODY_BYTES; sent += PART.length) if (!socket.write(PART)) await once(socket, 'drain');
		expect(await text(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} .*"code":`, 's'));
	});

	test('nodes that are down are passed over', async () => {
		const session = await WireSession.open(cluster.balancer);
		onTestFinished(() => cluster.heal());
		await cluster.node(0).kill();
		for (const _ of range(1, 20)) expect(await session.ping(cluster.balancer)).toBe(200);
		await cluster.node(1).kill();
		for (const _ of range(1, 20)) expect(await session.ping(cluster.balancer)).toBe(200);
		expect((await session.stream(cluster.balancer)).status).toBe(200);
	});
});

test('a call whose node dies before it said anything is a 502 at once, and does not run twice', async () => {
	await using cluster = await Cluster.start({ flags: ['--response-mode', 'json'] });
	const session = await WireSession.open(cluster.node(0));
	const sent = session.call(cluster.balancer, 'log_many', { count: 100_000, intervalMs: 10 });
	let answered = false;
	void sent.then(() => {
		answered = true;
	});
	// In this mode a call logs on the session stream.
	const first = await session.open(cluster.node(0));
	await first.message(3);
	const last = cluster.node(0);
	for (const node of [cluster.node(2), cluster.node(1)]) {
		if (!answered) await node.kill();
		// The response for a call on the node that just died is due; one that runs on another goes on.
		const logged = numbers(first).length;
		await expect.poll(() => answered || numbers(first).length > logged + 20, { timeout: 5_000 }).toBe(true);
	}
	if (!answered) {
		await last.kill();
		await last.restart();
	}
	expect((await sent).status).toBe(502);
	const survivor = cluster.nodes.find(({ running }) => running) ?? last;
	const stream = first.over ? await session.open(survivor, first.lastEventId) : first;
	await session.result(survivor, 'log_session', { count: 1, level: 'emergency' });
	await stream.find(({ params }) => params?.level === 'emergency');
	const ran = [...new Set([first, stream])].flatMap(numbers).slice(0, -1);
	expect(ran).toEqual(range(1, ran.length));
});

test('idle streams outlive the time-outs of nginx, because comments arrive', async () => {
	const shorter = (text: string) => text.replaceAll(/_timeout 75s/g, '_timeout 1s');
	await using cluster = await Cluster.start({ nodes: 2, flags: ['--keep-alive-ms', '200'], nginx: shorter });
	const session = await WireSession.open(cluster.balancer);
	const stream = await session.open(cluster.balancer);
	const call = await session.call(cluster.balancer, 'sleep', { ms: 600_000 });
	// Three times the time-out.
	await expect.poll(() => stream.comments.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(15);
	expect([stream.over, call.over]).toEqual([false, false]);
});

test('the shipped configuration waits longer than the comments of a node let it, and lets go of idle nodes before they do', () => {
	const text = readFileSync(nginxConfig, 'utf8');
	const seconds = (directive: string) => Number(new RegExp(`^\\s*${directive} (\\d+)s;`, 'm').exec(text)?.[1]);
	const keepAlive = 15;
	expect(seconds('proxy_read_timeout')).toBeGreaterThan(2 * keepAlive);
	expect(seconds('send_timeout')).toBeGreaterThan(2 * keepAlive);
	expect(seconds('keepalive_timeout')).toBeLessThan(5);
	expect(text).not.toMatch(/non_idempotent;/);
});

/** How many nodes hear the channel of the session's stream. */
async function channels(session: WireSession): Promise<number> {
	const heard = (await cluster.redis.client().call('PUBSUB', 'SHARDCHANNELS', `*${session.id}*`)) as string[];
	return heard.length;
}
