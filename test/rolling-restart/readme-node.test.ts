import { fileURLToPath } from 'node:url';
import { NodeProcess, startRedis } from '@holdfast/local-cluster';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { expect, onTestFinished, test } from 'vitest';
import { within } from '../support/deadline.ts';

/** Delay, idle connections and what a busy machine needs, in milliseconds. */
const ENDS_WITHIN_MS = 25_000;

test('a process that follows the README exits after SIGTERM, and not before all is closed', {
	timeout: 60_000,
}, async () => {
	const redis = await startRedis();
	onTestFinished(() => redis.close());
	const program = fileURLToPath(new URL('readme-node.mjs', import.meta.url));
	const node = await NodeProcess.start(program, () => ({ env: { REDIS_URL: redis.url } }));
	onTestFinished(() => void node.kill());
	const client = new Client({ name: 'test', version: '1.0.0' });
	await client.connect(new StreamableHTTPClientTransport(new URL(node.url)));
	onTestFinished(() => client.close());
	await client.ping();
	expect(await within(node.stop(), 'the process to exit', ENDS_WITHIN_MS)).toMatchObject({
		code: 0,
		output: expect.stringContaining('All is closed.'),
	});
});
