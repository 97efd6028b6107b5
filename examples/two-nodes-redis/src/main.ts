// Starts Redis, two nodes and nginx, talks to them as one server while a node dies and returns, and fails when a
// response is wrong.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { NodeProcess, startNginx, startRedis } from '@holdfast/local-cluster';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

const DEADLINE_MS = 15_000;

const redis = await startRedis();
const program = fileURLToPath(new URL('server.js', import.meta.url));
const start = () => NodeProcess.start(program, (port) => ({ env: { PORT: `${port}`, REDIS_URL: redis.url } }));
const nodes = await Promise.all([start(), start()]);
const nginx = await startNginx(
	fileURLToPath(new URL('../nginx.conf', import.meta.url)),
	nodes.map(({ port }) => port),
);

const client = new Client({ name: 'two-nodes-client', version: '1.0.0' }, { capabilities: { elicitation: {} } });
client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada' } }));
const transport = new StreamableHTTPClientTransport(new URL(nginx.url));
await client.connect(transport);

let calls = 0;
assert.equal((await nodesThatCount(6)).size, 2, 'both nodes serve the session, and count together');
assert.equal(await call('greet'), 'Hello Ada', 'a response reaches the node that asked');
await hearsOfAChange();

const [first, second] = nodes;
await first.kill();
assert.equal((await nodesThatCount(4)).size, 1, 'the session lives on when a node dies');
assert.equal(await call('greet'), 'Hello Ada');
await hearsOfAChange();

await first.restart();
await nginxTakesBothAgain();
await second.kill();
assert.equal((await nodesThatCount(4)).size, 1, 'a node that started a moment ago knows the session');
await hearsOfAChange();

await transport.terminateSession();
await assert.rejects(call('count'), 'a session that its client ended is gone');

await client.close();
await nginx.close();
await Promise.all(nodes.map((node) => node.stop()));
await redis.close();
console.log('two-nodes-redis: one session on two nodes, through the death of each');

/** Calls a tool and returns its text. */
async function call(name: string): Promise<string> {
	const { content } = await client.callTool({ name, arguments: {} });
	const [block] = content as { text: string }[];
	return block?.text ?? '';
}

/** Counts `times` further, and returns the nodes that did. */
async function nodesThatCount(times: number): Promise<Set<string | undefined>> {
	const seen = new Set<string | undefined>();
	for (const end = calls + times; calls < end; ) {
		const [count, nodeId] = (await call('count')).split(' on ');
		assert.equal(count, `${++calls}`);
		seen.add(nodeId);
	}
	return seen;
}

/** Waits until both nodes get requests again: nginx skips a failed one for 2 s. */
async function nginxTakesBothAgain(): Promise<void> {
	const end = Date.now() + DEADLINE_MS;
	while ((await nodesThatCount(2)).size < 2) {
		assert.ok(Date.now() < end, 'a node that is back gets requests again');
		await pause(100);
	}
}

/** Makes one node announce that the tools changed, and waits until the client is notified on its stream. */
async function hearsOfAChange(): Promise<void> {
	const heard = new Promise<void>((resolve, reject) => {
		const overdue = setTimeout(() => reject(new Error('The client heard of no change.')), DEADLINE_MS);
		client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
			clearTimeout(overdue);
			resolve();
		});
	});
	await call('announce');
	await heard;
}
