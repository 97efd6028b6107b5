import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectOfficial } from '../../../../test/support/clients/official-client.ts';
import type { SseClient } from '../../../../test/support/clients/sse-client.ts';
import { openSse, openSseSession, posts } from '../../../../test/support/clients/sse-over-http.ts';
import type { Received } from '../../../../test/support/clients/wire-response.ts';
import { initializeMessage } from '../../../../test/support/rig.ts';
import { letters, useCluster } from './support/cluster.ts';
import { describeOfficialSseClients } from './support/official-sse-clients.ts';
import { everyCapability, range, structured } from './support/wire-session.ts';

const GRACE_MS = 3_000;
// No node suspends what lives by its stream, however soon it suspends other sessions.
const cluster = useCluster({ flags: ['--sse-grace-ms', String(GRACE_MS), '--suspend-after-ms', '500'] });
const uri = 'test://watched-resource';

/** How soon a new stream is there, in milliseconds; a machine that is busy needs some of it. */
const AT_ONCE_MS = 2_000;
/** Nobody waits longer for a node that died, in milliseconds. */
const NOBODY_WAITS_MS = 15_000;
/**
 * Within what time a session is gone whose stream is: the grace, a look for what has expired, and what a busy machine
 * needs.
 */
const GONE = { timeout: 3 * GRACE_MS + 2_000 };

describeOfficialSseClients(cluster);

describe('a stream on one node', () => {
	test.each(letters.flatMap((held) => letters.map((posted) => [held, posted] as const)))(
		'(%s) carries all of a call on another (%s), each message once and in order',
		async (held, posted) => {
			const client = await openSse(cluster.at(held));
			const elsewhere = client.at(posts(cluster.at(posted)));
			await elsewhere.initialize();
			const id = await elsewhere.call('log_many', { count: 500 });
			expect(structured(await elsewhere.answerTo(id))).toMatchObject({ count: 500 });
			expect(numbers(client)).toEqual(range(1, 500));
			// The response came after what was said before it.
			expect(client.messages.at(-1)).toMatchObject({ id });
		},
	);

	test('carries the progress of a call on another, up to its end', async () => {
		const client = await openSseSession(cluster.at('A'));
		const onC = client.at(posts(cluster.at('C')));
		await onC.answerTo(await onC.call('test_tool_with_progress', {}, { progressToken: 'mine' }));
		const steps = client.messages.filter(({ method }) => method === 'notifications/progress');
		expect(steps.map(({ params }) => [params.progressToken, params.progress])).toEqual([
			['mine', 0],
			['mine', 50],
			['mine', 100],
		]);
	});

	test('brings what is asked on another, and the response is taken by every node', async () => {
		const client = await openSseSession(cluster.at('A'), everyCapability);
		const answered: Received['id'][] = [];
		for (const letter of letters) {
			const id = await client.at(posts(cluster.at('B'))).call('ask', { message: 'Well?' });
			const question = await client.find(
				(message) => message.method === 'elicitation/create' && !answered.includes(message.id),
			);
			answered.push(question.id);
			const taken = await client.at(posts(cluster.at(letter))).reply(question.id, { action: 'decline' });
			expect(taken.status).toBe(202);
			expect(structured(await client.answerTo(id))).toMatchObject({ action: 'decline' });
		}
	});

	test('does not hear what other sessions are told, and cannot answer or cancel for them', async () => {
		const victim = await openSseSession(cluster.at('A'), everyCapability);
		const attacker = await openSseSession(cluster.at('A'), everyCapability);
		const id = await victim.at(posts(cluster.at('B'))).call('ask', { message: 'Well?' });
		const question = await victim.find(({ method }) => method === 'elicitation/create');
		for (const letter of letters) {
			const theirs = attacker.at(posts(cluster.at(letter)));
			const { status } = await theirs.reply(question.id, { action: 'accept', content: { answer: 'stolen' } });
			// Whatever it sends is accepted as if it came late, and comes to nothing.
			expect(status).toBe(202);
			await theirs.notify('notifications/cancelled', { requestId: id });
		}
		await victim.at(posts(cluster.at('C'))).reply(question.id, { action: 'decline' });
		expect(structured(await victim.answerTo(id))).toMatchObject({ action: 'decline' });
		expect(attacker.messages.map((message) => message.id)).toEqual(['init']);
	});
});

test('calls of a node that was killed with -9 are answered with an error soon, and the session goes on', async () => {
	onTestFinished(() => cluster.heal());
	const client = await openSseSession(cluster.at('A'), everyCapability);
	const onB = client.at(posts(cluster.at('B')));
	const calls = [
		await onB.call('log_many', { count: 100_000, intervalMs: 20 }),
		await onB.call('ask', { message: 'Well?' }),
	];
	const question = await client.find(({ method }) => method === 'elicitation/create');
	await cluster.at('B').kill();
	client.stream.deadlineMs = NOBODY_WAITS_MS;
	for (const id of calls) {
		expect(await client.answerTo(id)).toMatchObject({
			error: { code: -32000, message: expect.stringContaining('lost') },
		});
	}
	const onC = client.at(posts(cluster.at('C')));
	expect((await onC.reply(question.id, { action: 'decline' })).status).toBe(202);
	const info = await onC.answerTo(await onC.call('session_info'));
	expect(structured(info)).toMatchObject({ sessionId: client.id });
});

describe('a session ends soon after its stream', () => {
	test.each(['its client went', 'its node was killed with -9'])(
		'when %s: on all nodes, with all that it owned',
		async (how) => {
			const client = await openSseSession(cluster.at('A'));
			const [onB, onC] = [client.at(posts(cluster.at('B'))), client.at(posts(cluster.at('C')))];
			await onC.answerTo(await onC.call('state_set', { key: 'k', value: 1 }));
			await onC.answerTo(await onC.request('resources/subscribe', { uri }));
			await onB.call('log_many', { count: 100_000, intervalMs: 50 });
			await client.find(({ method }) => method === 'notifications/message');
			if (how === 'its client went') client.stream.drop();
			else {
				onTestFinished(() => cluster.heal());
				await cluster.at('A').kill();
				await client.stream.ended();
			}
			for (const elsewhere of [onB, onC]) {
				await expect.poll(async () => (await elsewhere.notify('notifications/x')).status, GONE).toBe(404);
			}
			// The call that ran says nothing more: nothing is left of the session, not even a history.
			const left = async () =>
				(await cluster.redis.client().keys(`*${client.id}*`)).filter((key) => !/:(log|streams)$/.test(key));
			await expect.poll(left, GONE).toEqual([]);
		},
	);

	test('when its client does not read what other nodes send: it is cut off', { timeout: 90_000 }, async () => {
		const { port } = cluster.at('A');
		const socket = connect(port, '127.0.0.1');
		onTestFinished(() => void socket.destroy());
		socket.write('GET /sse HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
		let head = '';
		while (!/data: \S+\n/.test(head)) head += String((await once(socket, 'data'))[0]);
		socket.pause();
		const endpoint = /data: (\S+)/.exec(head)?.[1] ?? '';
		const [onB, onC] = [posts(cluster.at('B')), posts(cluster.at('C'))];
		await onB.post(endpoint, initializeMessage());
		const call = (id: number, name: string, args: object) =>
			onB.post(endpoint, { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } });
		await call(0, 'state_set', { key: 'k', value: 'x'.repeat(200_000) });
		// More than any socket buffers and the node keeps of responses, unless the session ends before.
		for (let id = 1; id <= 400; id++) if ((await call(id, 'state_get', { key: 'k' })).status !== 202) break;
		await expect
			.poll(async () => (await onC.post(endpoint, { jsonrpc: '2.0', method: 'notifications/x' })).status, GONE)
			.toBe(404);
		expect(cluster.at('A').running).toBe(true);
	});

	test('a client whose node was killed with -9 begins again at once on another', async () => {
		onTestFinished(() => cluster.heal());
		const client = await openSseSession(cluster.at('A'));
		await cluster.at('A').kill();
		await client.stream.ended();
		const began = performance.now();
		const next = await connectOfficial('v1', `http://127.0.0.1:${cluster.balancer.port}`, {}, 'sse');
		expect(JSON.parse(await next.call('session_info'))).toMatchObject({ sessionId: next.sessionId });
		expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
		expect(next.sessionId).not.toBe(client.id);
	});

	test('but not while its stream is open, however idle it is', async () => {
		const client = await openSseSession(cluster.at('B'));
		// A stream on which nothing is requested is closed after the grace, and so marks the time.
		const { stream } = await openSse(cluster.at('B'));
		stream.deadlineMs = GONE.timeout;
		await stream.ended();
		expect((await client.at(posts(cluster.at('C'))).notify('notifications/x')).status).toBe(202);
		expect(client.stream.over).toBe(false);
	});
});

test('clients of both transports hear of changes once, whichever transport tells of them', async () => {
	const origin = `http://127.0.0.1:${cluster.balancer.port}`;
	const clients = [await connectOfficial('v1', origin), await connectOfficial('v1', origin, {}, 'sse')];
	for (const client of clients) {
		// A broadcast reaches a session of Streamable HTTP from its first stream on.
		await client.call('log_session', { count: 1 });
		await client.untilLogged(1);
		await client.subscribe(uri);
	}
	for (const client of clients) {
		await client.call('notify_list_changed', { kind: 'tools' });
		await client.call('notify_updated', { uri });
	}
	for (const client of clients) {
		await client.heard.count(5, 'change');
		await client.ping();
		expect(client.heard.items.slice(1).map(({ method }) => method)).toEqual([
			'notifications/tools/list_changed',
			'notifications/resources/updated',
			'notifications/tools/list_changed',
			'notifications/resources/updated',
		]);
	}
});

/** The numbers that were logged, in order. */
function numbers(client: SseClient): number[] {
	return client.messages.filter(({ method }) => method === 'notifications/message').map(({ params }) => params.data.n);
}
