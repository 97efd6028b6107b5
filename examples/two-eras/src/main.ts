// Starts Redis and two nodes, and lets official clients of both eras do the same at them, while a node dies and
// returns. Fails when a response is wrong.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { NodeProcess, startRedis } from '@holdfast/local-cluster';
import { connect, kinds } from './visitor.js';

const DEADLINE_MS = 15_000;

const redis = await startRedis();
const program = fileURLToPath(new URL('server.js', import.meta.url));
const REQUEST_STATE_KEY = 'every node has these thirty-two bytes';
const start = () =>
	NodeProcess.start(program, (port) => ({ env: { PORT: `${port}`, REDIS_URL: redis.url, REQUEST_STATE_KEY } }));
const nodes = await Promise.all([start(), start()]);

for (const kind of kinds) {
	let notices = 0;
	let onquestion: () => Promise<unknown> = async () => {};
	const client = await connect(kind, nodes, {
		async guests() {
			await onquestion();
			return 3;
		},
		toolsChanged: () => notices++,
	});
	assert.equal(client.hasSession, kind === 'v1' || kind === 'v2 legacy');
	let count = 0;
	const booked = () => ({ text: `3 seats to Rome, booking ${++count}`, progress: [1, 2, 3] });
	for (let n = 0; n < 4; n++)
		assert.deepEqual(await client.book('Rome'), booked(), `${kind}: a question and its answer`);
	for (const node of nodes) await hears(node);

	const [first] = nodes;
	await first.kill();
	assert.deepEqual(await client.book('Rome'), booked(), `${kind}: goes on when a node dies`);
	await first.restart();
	for (const node of nodes) await hears(node);

	if (!client.hasSession) {
		// What a client without a session was asked, no node has to remember.
		onquestion = async () => {
			onquestion = async () => {};
			await Promise.all(nodes.map((node) => node.kill()));
			await Promise.all(nodes.map((node) => node.restart()));
		};
		assert.deepEqual(await client.book('Rome'), booked(), `${kind}: all nodes may die between question and answer`);
	}
	await client.close();

	/** Makes a node announce that the tools changed, until the client has heard it: its stream may be on its way. */
	async function hears({ pid }: NodeProcess): Promise<void> {
		const before = notices;
		for (const end = Date.now() + DEADLINE_MS; notices === before; await pause(100)) {
			assert.ok(Date.now() < end, `${kind}: hears of a change`);
			process.kill(pid ?? 0, 'SIGUSR2');
		}
	}
}

await Promise.all(nodes.map((node) => node.stop()));
await redis.close();
console.log(`two-eras: ${kinds.length} official clients, one tool, through the death of nodes`);
