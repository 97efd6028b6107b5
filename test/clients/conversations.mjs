// Tries the conversation server with clients that others wrote, over HTTP, and over stdio as assistants start it.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parsed } from './drivers/parsed.mjs';
import { program } from './drivers/program.mjs';
import { ForeignClient } from './foreign-client.mjs';
import { installClients, newerNode } from './install.mjs';

const server = fileURLToPath(new URL('../../apps/conversation-server/dist/main.js', import.meta.url));
/** The clients, by their keys in package.json, and their drivers. */
const clients = {
	'inspector-2': 'inspector',
	'mcporter-0.12': 'mcporter',
	'langchain-1': 'langchain',
	'ai-sdk-2': 'ai-sdk',
};

installClients(true);
const node = newerNode();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-conversations-'));
const http = spawn(process.execPath, [server, '--port', '0', '--store', join(folder, 'conversations.db')], {
	stdio: ['ignore', 'pipe', 'inherit'],
});
process.once('exit', () => {
	http.kill('SIGKILL');
	rmSync(folder, { recursive: true, force: true });
});

const url = await new Promise((resolve) => {
	createInterface({ input: http.stdout }).once('line', (line) => resolve(line.split(' ').at(-1)));
});
/** Only the trials whose names contain one of these; without any, all. */
const wanted = process.argv.slice(2);
let tried = 0;
let failed = 0;
for (const [alias, driver] of Object.entries(clients)) {
	await report(`${alias} over HTTP`, () => remember(alias, () => overHttp(alias, driver)));
}
await report('inspector-2 over stdio', () => remember('stdio', async () => overStdio('inspector-2')));
console.log(`${tried - failed} remember, ${failed} failed`);
process.exit(failed === 0 && tried > 0 ? 0 : 1);

async function report(name, run) {
	if (wanted.length > 0 && !wanted.some((text) => name.includes(text))) return;
	tried++;
	try {
		await run();
		console.log(`${name}: passed`);
	} catch (error) {
		failed++;
		console.log(`${name}: ${error.message}`);
	}
}

/** What somebody does on one day, and on the next with a client that knows nothing of it. */
async function remember(id, connect) {
	const on = { conversation_id: id };
	const first = await connect();
	assert.ok((await first.list()).includes('create_conversation'));
	assert.equal((await first.call('create_conversation', { ...on, title: 'A memory leak' })).id, id);
	const said = { ...on, role: 'user', content: 'It grows by 100 MB an hour.' };
	assert.deepEqual(await first.call('add_message', said), { number: 1 });
	await first.call('set_context', { ...on, key: 'deployment', value: 'v2.4.0' });
	assert.deepEqual(await first.call('add_discovery', { ...on, title: 'The cache evicts nothing' }), { number: 1 });
	await first.call('suspend_conversation', on);
	await first.close();

	const second = await connect();
	const { conversations } = await second.call('list_conversations');
	assert.ok(conversations.some((each) => each.id === id && each.state === 'suspended'));
	// The Inspector tells only that there is an error.
	await assert.rejects(
		second.call('create_conversation', { ...on, title: 'Again' }),
		/resume_conversation|isError:true/,
	);
	const summary = await second.call('resume_conversation', on);
	for (const part of ['A memory leak', 'The cache evicts nothing', 'v2.4.0', 'It grows by 100 MB']) {
		assert.ok(String(JSON.stringify(summary)).includes(part), part);
	}
	const { hits } = await second.call('search_conversation', { ...on, query: 'evict*' });
	assert.equal(hits.length, 1);
	await second.call('end_conversation', { ...on, reason: 'solved' });
	await second.close();
}

async function overHttp(alias, driver) {
	const client = new ForeignClient(node, { alias, driver, way: { transport: 'http' } });
	await client.connect(url);
	return client;
}

/** Each call of the Inspector starts the server as an assistant does, and ends it. */
function overStdio(alias) {
	const env = { ...process.env, HOME: folder };
	const run = async (...args) => {
		const patience = ['--connect-timeout', '50000'];
		const command = [program(alias, 'mcp-inspector'), '--cli', process.execPath, server, ...patience, ...args];
		const { stdout } = await promisify(execFile)(node, command, { encoding: 'utf8', env });
		return JSON.parse(stdout);
	};
	return {
		list: async () => (await run('--method', 'tools/list')).tools.map(({ name }) => name),
		call: async (name, args = {}) => {
			const pairs = Object.entries(args).flatMap(([key, value]) => ['--tool-arg', `${key}=${value}`]);
			return parsed(await run('--method', 'tools/call', '--tool-name', name, ...pairs));
		},
		close: async () => {},
	};
}
