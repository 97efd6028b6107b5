// Starts PostgreSQL and three nodes behind a balancer, replaces each node while clients work, and fails when a client
// noticed.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { NodeProcess, startPostgres } from '@holdfast/local-cluster';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { Balancer } from './balancer.js';

const DEADLINE_MS = 20_000;

/** Someone who works without a pause, and remembers all that went wrong. */
class Worker {
	readonly heard: unknown[] = [];
	readonly nodes = new Set<string>();
	readonly #client = new Client({ name: 'worker', version: '1.0.0' });
	readonly #transport: StreamableHTTPClientTransport;
	#calls = 0;
	#stopped = false;

	constructor(url: string, token: string) {
		const requestInit = { headers: { Authorization: `Bearer ${token}` } };
		const reconnectionOptions = {
			initialReconnectionDelay: 50,
			maxReconnectionDelay: 500,
			reconnectionDelayGrowFactor: 1.5,
			maxRetries: 20,
		};
		this.#transport = new StreamableHTTPClientTransport(new URL(url), { requestInit, reconnectionOptions });
		this.#client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
			this.heard.push(params.data);
		});
	}

	get sessionId(): string {
		return this.#transport.sessionId ?? '';
	}

	connect(): Promise<void> {
		return this.#client.connect(this.#transport);
	}

	/** Rejects with the first call that does not have the result that it would have on one server for ever. */
	async work(): Promise<void> {
		while (!this.#stopped) {
			const { content } = await this.#client.callTool({ name: 'work', arguments: {} });
			const [count, node = ''] = String((content as { text: string }[])[0]?.text).split(' on ');
			assert.equal(count, `${++this.#calls}`);
			this.nodes.add(node);
		}
	}

	stop(): void {
		this.#stopped = true;
	}

	/** Everything was heard, once and in order. */
	async heardAll(): Promise<void> {
		const numbers = () => this.heard.filter((each) => typeof each === 'number');
		for (const end = Date.now() + DEADLINE_MS; numbers().length < this.#calls && Date.now() < end; ) {
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
		assert.deepEqual(
			numbers(),
			Array.from({ length: this.#calls }, (_, index) => index + 1),
			'each message arrives once and in order',
		);
		assert.equal(this.heard.filter((each) => each === 'welcome').length, 1, 'what was sent is not sent again');
	}

	async close(): Promise<void> {
		await this.#transport.terminateSession();
		await this.#client.close();
	}
}

const postgres = await startPostgres();
const program = fileURLToPath(new URL('server.js', import.meta.url));
const start = () =>
	NodeProcess.start(program, (port) => ({
		env: { PORT: `${port}`, DATABASE_URL: postgres.url, DRAIN_DELAY_MS: '2000' },
	}));
const nodes = await Promise.all([start(), start(), start()]);
const balancer = new Balancer(nodes.map(({ port }) => port));
const url = await balancer.listen();

const workers = Array.from({ length: 6 }, (_, index) => new Worker(url, `user-${index}`));
await Promise.all(workers.map((worker) => worker.connect()));
const working = Promise.all(workers.map((worker) => worker.work()));

for (const node of nodes) {
	const { code, output } = await Promise.race([node.stop(), working.then(() => assert.fail('somebody stopped'))]);
	assert.equal(code, 0, output);
	await node.restart();
	await balancer.hasReady(nodes.length);
}
for (const worker of workers) worker.stop();
await working;
for (const worker of workers) {
	await worker.heardAll();
	assert.ok(worker.nodes.size > 3, 'nodes of before and after served each session');
}

const stranger = await fetch(url, {
	method: 'POST',
	headers: {
		authorization: 'Bearer somebody-else',
		accept: 'application/json, text/event-stream',
		'content-type': 'application/json',
		'mcp-session-id': workers[0]?.sessionId ?? '',
	},
	body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
});
assert.equal(stranger.status, 403, 'a session is served to nobody but its owner');

await Promise.all(workers.map((worker) => worker.close()));
balancer.close();
await Promise.all(nodes.map((node) => node.stop()));
await postgres.close();
console.log(`rolling-deploy: three nodes were replaced, and ${workers.length} clients noticed nothing`);
