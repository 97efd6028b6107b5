// Starts the server on a file of its own and counts in one session, while a process is killed and while all of them are
// restarted. Fails when a response is wrong.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NodeProcess } from '@holdfast/local-cluster';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const folder = mkdtempSync(join(tmpdir(), 'one-host-'));
const SESSIONS = join(folder, 'sessions.db');
const program = fileURLToPath(new URL('server.js', import.meta.url));
const server = await NodeProcess.start(program, (port) => ({ env: { PORT: `${port}`, SESSIONS } }));

const client = new Client({ name: 'one-host-client', version: '1.0.0' });
await client.connect(new StreamableHTTPClientTransport(new URL(server.url)));

const numbers: number[] = [];
const { pid } = await count();
const load = Promise.all([1, 2, 3, 4].map(() => countOn(40)));
process.kill(pid, 'SIGKILL');
await load;
assert.equal(new Set(numbers).size, numbers.length, 'nothing is counted twice for two calls');
assert.ok(!(await count()).isFirst, 'the session lives on when a process dies');

await server.stop();
await server.restart();
const before = Math.max(...numbers);
assert.ok((await count()).calls > before, 'and when all of them are restarted');

await client.close();
await server.stop();
rmSync(folder, { recursive: true });
console.log(`one-host: ${numbers.length} calls in one session, through the death of a process and a restart of all`);

async function countOn(times: number): Promise<void> {
	for (let n = 0; n < times; n++) await count();
}

/** Counts further. A call whose connection broke is made again, as agents do. */
async function count(attempts = 5): Promise<{ calls: number; pid: number; isFirst: boolean }> {
	try {
		const { content } = await client.callTool({ name: 'count', arguments: {} });
		const [block] = content as { text: string }[];
		const [, calls, pid] = /^(\d+) in (\d+)$/.exec(block?.text ?? '') ?? [];
		numbers.push(Number(calls));
		return { calls: Number(calls), pid: Number(pid), isFirst: calls === '1' };
	} catch (error) {
		if (attempts === 0) throw error;
		return count(attempts - 1);
	}
}
