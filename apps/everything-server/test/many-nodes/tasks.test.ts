import { Agent } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Loose, WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { sendOverHttp } from '../../../../test/support/doors.ts';
import { statelessHeaders, statelessMessage } from '../../../../test/support/stateless-request.ts';
import { until } from '../../../../test/support/until.ts';
import { type Target, useCluster } from './support/cluster.ts';

const cluster = useCluster({ flags: ['--sdk', 'v2', '--stateless'] });
const capabilities = { elicitation: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } };
/** Until then a task whose node died has failed. */
const LOST_WITHIN_MS = 15_000;

const agent = new Agent();

function post(node: Target, method: string, params: Loose): Promise<WireResponse> {
	const message = statelessMessage(method, params, { capabilities });
	return sendOverHttp(agent, node.port, { headers: statelessHeaders(message), body: JSON.stringify(message) });
}

async function request(node: Target, method: string, params: Loose): Promise<Loose> {
	// A busy machine may take so long that the response becomes a stream.
	const { result } = await (await post(node, method, params)).answer();
	return result;
}

async function start(node: Target, name: string, args: Loose): Promise<string> {
	const { taskId, resultType } = await request(node, 'tools/call', { name, arguments: args });
	expect(resultType).toBe('task');
	return taskId;
}

async function sleepOn(node: Target): Promise<Loose> {
	return (await request(node, 'tools/call', { name: 'sleep', arguments: { ms: 0 } })).structuredContent;
}

async function listen(node: Target, taskId: string): Promise<WireResponse> {
	const stream = await post(node, 'subscriptions/listen', { notifications: { taskIds: [taskId] } });
	expect((await stream.message(0)).params.notifications).toEqual({ taskIds: [taskId] });
	return stream;
}

describe('tasks, on three nodes', () => {
	test('any node tells their result, also after the node that ran them was restarted', async () => {
		const taskId = await start(cluster.node(0), 'slow_compute', { seconds: 0.1, label: 'kept' });
		const status = async (node: Target) => (await request(node, 'tasks/get', { taskId })).status;
		await until('the result', async () => (await status(cluster.node(1))) === 'completed');
		onTestFinished(() => cluster.heal());
		await cluster.node(0).kill();
		await cluster.heal();
		for (const node of cluster.nodes) {
			const task = await request(node, 'tasks/get', { taskId });
			expect(task.result.content[0].text).toBe('kept after 0.1 s');
		}
	});

	test('any node takes the answers to what they ask, and cancels them', async () => {
		const asking = await start(cluster.node(0), 'confirm_delete', { filename: 'a.txt' });
		const waiting = () => request(cluster.node(2), 'tasks/get', { taskId: asking });
		const { inputRequests } = await until('the question', async () => {
			const task = await waiting();
			return task.status === 'input_required' && task;
		});
		const [key = ''] = Object.keys(inputRequests);
		const answer = { [key]: { action: 'accept', content: { confirm: true } } };
		await request(cluster.node(1), 'tasks/update', { taskId: asking, inputResponses: answer });
		const done = await until('the result', async () => {
			const task = await waiting();
			return task.status === 'completed' && task;
		});
		expect(done.result.content[0].text).toContain('"confirm":true');
		const long = await start(cluster.node(0), 'slow_compute', { seconds: 3_600 });
		await request(cluster.node(1), 'tasks/cancel', { taskId: long });
		for (const node of cluster.nodes) {
			const task = await request(node, 'tasks/get', { taskId: long });
			expect(task.status).toBe('cancelled');
		}
	});

	test('a listen stream on any node hears what becomes of them', async () => {
		const taskId = await start(cluster.node(0), 'confirm_delete', { filename: 'b.txt' });
		const stream = await listen(cluster.node(1), taskId);
		await request(cluster.node(2), 'tasks/cancel', { taskId });
		await until('the notice', () =>
			stream.messages.some(({ message }) => message.params?.taskId === taskId && message.params.status === 'cancelled'),
		);
	});

	test('those whose node is killed are begun anew, or have failed within 15 s, and their listeners are told', async () => {
		const taskId = await start(cluster.node(0), 'slow_compute', { seconds: 3_600 });
		const restartable = await start(cluster.node(0), 'restartable_compute', { seconds: 3, label: 'anew' });
		const [stream, other] = [await listen(cluster.node(1), taskId), await listen(cluster.node(2), restartable)];
		const first = (await sleepOn(cluster.node(0))).nodeId;
		onTestFinished(() => cluster.heal());
		await cluster.node(0).kill();
		const asked = until(
			'the failure, asked of a node',
			async () => (await request(cluster.node(2), 'tasks/get', { taskId })).status === 'failed',
			LOST_WITHIN_MS,
		);
		const told = until(
			'the failure, told to a listener',
			() => stream.messages.some(({ message }) => message.params?.status === 'failed'),
			LOST_WITHIN_MS,
		);
		await Promise.all([asked, told]);
		const isDone = () => other.messages.find(({ message }) => message.params?.status === 'completed');
		const { message } = await until('the result of what was begun anew', isDone, LOST_WITHIN_MS);
		expect(message.params.result.content[0].text).toBe('anew after 3 s');
		expect(message.params.result.structuredContent.nodeId).not.toBe(first);
		for (const node of [cluster.node(1), cluster.node(2)])
			expect((await request(node, 'tasks/get', { taskId: restartable })).status).toBe('completed');
	});

	test('those whose node hangs have failed within 15 s, also for a node that was started after that', async () => {
		const taskId = await start(cluster.node(0), 'slow_compute', { seconds: 3_600 });
		onTestFinished(() => cluster.heal());
		await cluster.node(1).kill();
		cluster.node(0).pause();
		await cluster.node(1).restart();
		await until(
			'the failure, asked of a node',
			async () => (await request(cluster.node(1), 'tasks/get', { taskId })).status === 'failed',
			LOST_WITHIN_MS,
		);
	});
});
