import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as V1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as V1StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { SignJWT } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Mailbox } from '../../../test/support/mailbox.ts';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';
import { parseOptions, UsageError } from '../src/options.ts';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const run = promisify(execFile);
const info = { name: 'test', version: '1.0.0' };

async function folder(): Promise<string> {
	const path = await mkdtemp(join(tmpdir(), 'holdfast-server-'));
	onTestFinished(() => rm(path, { recursive: true, force: true }));
	return path;
}

/** Connects an official client over stdio, which starts the server. */
async function overStdio(store: string, args: readonly string[] = [], mode?: 'auto'): Promise<Client> {
	const client = new Client(info, mode && { versionNegotiation: { mode } });
	await client.connect(
		new StdioClientTransport({ command: process.execPath, args: [main, '--store', store, ...args], stderr: 'inherit' }),
	);
	onTestFinished(() => client.close());
	return client;
}

/** Starts the server with HTTP. */
async function startOverHttp(
	store: string,
	args: readonly string[] = [],
): Promise<{ readonly url: URL; readonly server: ChildProcess }> {
	const server = spawn(process.execPath, [main, '--store', store, '--port', '0', ...args], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	onTestFinished(async () => {
		if (server.exitCode !== null || server.signalCode !== null) return;
		const exit = once(server, 'exit');
		// The second one cuts short what the first one begins.
		for (const signal of ['SIGTERM', 'SIGINT'] as const) server.kill(signal);
		await exit;
	});
	let text = '';
	for await (const chunk of server.stdout) {
		text += chunk;
		const [, url] = / at (\S+)\n/.exec(text) ?? [];
		if (url !== undefined) return { url: new URL(url), server };
	}
	throw new Error(`The server did not start: ${text}`);
}

/**
 * Connects an official client to a server, once that reaches its store: it makes the schema on first use, which takes
 * longer on a busy machine than a call waits.
 */
async function overHttpTo(url: URL, mode?: 'auto') {
	return until(
		'the server reaches its store',
		async () => {
			const client = new Client(info, mode && { versionNegotiation: { mode } });
			const transport = new StreamableHTTPClientTransport(url);
			try {
				await client.connect(transport);
				const { isError } = await client.callTool({ name: 'list_conversations', arguments: {} });
				if (isError !== true) return { client, transport };
			} catch (error) {
				await client.close();
				throw error;
			}
			await client.close();
			return false;
		},
		25_000,
	);
}

/** Starts the server with HTTP and returns its URL. */
async function overHttp(store: string, args: readonly string[] = []): Promise<URL> {
	return (await startOverHttp(store, args)).url;
}

/** Starts a PostgreSQL and returns its URL. */
async function postgres(): Promise<string> {
	const server = await PostgresServer.create();
	onTestFinished(() => server.dispose());
	return server.url;
}

function heardBy(client: Client): Mailbox<string> {
	const heard = new Mailbox<string>();
	client.setNotificationHandler('notifications/resources/updated', ({ params }) => heard.push(params.uri));
	return heard;
}

async function call(client: Client | V1Client, name: string, args: Record<string, unknown> = {}) {
	const { structuredContent, content } = await client.callTool({ name, arguments: args });
	return (structuredContent ?? content) as Record<string, unknown>;
}

describe('over stdio', () => {
	it.each(['', 'conversations.db'])(
		'what one client left, the next finds, of either SDK and era (%s)',
		async (name) => {
			const store = join(await folder(), name);
			const first = await overStdio(store);
			expect(first.getInstructions()).toContain('list the conversations');
			await call(first, 'create_conversation', { conversation_id: 'c', title: 'Kept' });
			await call(first, 'add_message', { conversation_id: 'c', role: 'user', content: 'hello' });
			await call(first, 'suspend_conversation', { conversation_id: 'c' });
			await first.close();

			const modern = await overStdio(store, [], 'auto');
			expect(await call(modern, 'resume_conversation', { conversation_id: 'c' })).toMatchObject({ state: 'active' });
			await modern.close();

			const old = new V1Client(info);
			await old.connect(new V1StdioClientTransport({ command: process.execPath, args: [main, '--store', store] }));
			onTestFinished(() => old.close());
			expect(await call(old, 'get_history', { conversation_id: 'c' })).toMatchObject({
				messages: [{ content: 'hello' }],
			});
		},
	);

	it('a subscriber is told of what changes', async () => {
		const client = await overStdio('memory');
		await call(client, 'create_conversation', { conversation_id: 'c', title: 'Watched' });
		const updated: string[] = [];
		client.setNotificationHandler('notifications/resources/updated', ({ params }) => void updated.push(params.uri));
		await client.subscribeResource({ uri: 'conversation://c' });
		await call(client, 'set_context', { conversation_id: 'c', key: 'k', value: 1 });
		await expect.poll(() => updated, { timeout: 10_000 }).toEqual(['conversation://c']);
		await client.unsubscribeResource({ uri: 'conversation://c' });
		await call(client, 'set_context', { conversation_id: 'c', key: 'k', value: 2 });
		await call(client, 'get_context', { conversation_id: 'c' });
		expect(updated).toHaveLength(1);
		const lists = new Mailbox<string>();
		client.setNotificationHandler('notifications/resources/list_changed', () => lists.push('list'));
		await call(client, 'create_conversation', { conversation_id: 'd', title: 'New' });
		await lists.count(1, 'the new one');
	});

	it('share links count after a restart, and their key is for the owner only', async () => {
		const store = await folder();
		const alice = await overStdio(store, ['--user', 'alice']);
		await call(alice, 'create_conversation', { conversation_id: 'c', title: 'Shared' });
		const { share_token } = await call(alice, 'share_conversation', { conversation_id: 'c', role: 'reader' });
		await alice.close();
		const bob = await overStdio(store, ['--user', 'bob']);
		expect(await call(bob, 'resume_conversation', { share_token })).toMatchObject({ id: 'c', role: 'reader' });
		expect((await stat(join(store, '.share-key'))).mode & 0o077).toBe(0);
	});

	it('the server ends with its client, and leaves no mark of itself', async () => {
		const store = await folder();
		const server = spawn(process.execPath, [main, '--store', store], { stdio: ['pipe', 'ignore', 'inherit'] });
		server.stdin.end();
		expect(await once(server, 'exit')).toEqual([0, null]);
	});
});

describe('over HTTP', () => {
	it('several clients share what the server keeps, with and without sessions', async () => {
		const url = await overHttp(await folder(), ['--vocabulary', 'session']);
		const client = new Client(info);
		await client.connect(new StreamableHTTPClientTransport(url));
		await call(client, 'create_session', { session_id: 's', title: 'Shared' });
		const modern = new Client(info, { versionNegotiation: { mode: 'auto' } });
		await modern.connect(new StreamableHTTPClientTransport(url));
		expect(await call(modern, 'list_sessions')).toMatchObject({ conversations: [{ id: 's' }] });
		await client.close();
		await modern.close();
	});

	it.each([
		['PostgreSQL', postgres],
		['SQLite', async () => join(await folder(), 'conversations.db')],
	])(
		'servers of one %s are one: of a write at one, a subscriber at the other hears',
		{
			timeout: 120_000,
		},
		async (_, place) => {
			const store = await place();
			const [a, b] = await Promise.all([overHttp(store), overHttp(store)]);
			const { client: writer } = await overHttpTo(a);
			const { client: reader, transport: session } = await overHttpTo(b);
			const { client: modern } = await overHttpTo(b, 'auto');
			await call(writer, 'create_conversation', { conversation_id: 'c', title: 'Watched' });
			const [heard, listened] = [heardBy(reader), heardBy(modern)];
			const lists = new Mailbox<string>();
			for (const client of [reader, modern])
				client.setNotificationHandler('notifications/resources/list_changed', () => lists.push('list'));
			await reader.subscribeResource({ uri: 'conversation://c' });
			await modern.listen({ resourceSubscriptions: ['conversation://c'], resourcesListChanged: true });
			await call(writer, 'create_conversation', { conversation_id: 'd', title: 'New' });
			await lists.count(2, 'both clients hear of the new one');
			await call(writer, 'set_context', { conversation_id: 'c', key: 'k', value: 'by A' });
			for (const each of [heard, listened]) await each.count(1, 'what A wrote');
			expect([heard.items, listened.items]).toEqual([['conversation://c'], ['conversation://c']]);
			const { contents } = await reader.readResource({ uri: 'conversation://c' });
			expect(contents).toMatchObject([{ text: expect.stringContaining('k: by A') }]);
			// A session that began at B goes on at A.
			const moved = await fetch(a, {
				method: 'POST',
				headers: {
					Accept: 'application/json, text/event-stream',
					'Content-Type': 'application/json',
					'Mcp-Session-Id': String(session.sessionId),
					'MCP-Protocol-Version': String(session.protocolVersion),
				},
				body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
			});
			expect(moved.status).toBe(200);
			for (const client of [writer, reader, modern]) await client.close();
		},
	);

	it('with tokens, everybody has their own', async () => {
		const secret = 'a secret of at least thirty-two bytes';
		const [issuer, audience] = ['https://issuer.example', 'https://memory.example/mcp'];
		const url = await overHttp('memory', ['--jwt-secret', secret, '--jwt-issuer', issuer, '--jwt-audience', audience]);
		const connect = async (sub: string) => {
			const claims = new SignJWT({ sub, iss: issuer, aud: audience }).setProtectedHeader({ alg: 'HS256' });
			const token = await claims.setExpirationTime('1h').sign(new TextEncoder().encode(secret));
			const client = new Client(info);
			const headers = { Authorization: `Bearer ${token}` };
			await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
			onTestFinished(() => client.close());
			return client;
		};
		const [alice, bob] = [await connect('alice'), await connect('bob')];
		await call(alice, 'create_conversation', { title: 'Hers' });
		expect(await call(alice, 'list_conversations')).toMatchObject({ conversations: [{ title: 'Hers' }] });
		expect(await call(bob, 'list_conversations')).toEqual({ conversations: [] });
		expect(await call(alice, 'forget_me', { confirm: true })).toMatchObject({ conversations: 1, sessions: 1 });
		expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401);
	});
});

describe('the command line', () => {
	it('repairs what is damaged', async () => {
		const store = await folder();
		const client = await overStdio(store);
		await call(client, 'create_conversation', { conversation_id: 'c', title: 'Damaged' });
		for (const content of ['one', 'two']) {
			await call(client, 'add_message', { conversation_id: 'c', role: 'user', content });
		}
		await client.close();
		const file = join(store, 'c', 'messages.jsonl');
		await writeFile(file, (await readFile(file, 'utf8')).replace('"one"', '"one'));
		const { stdout } = await run(process.execPath, [main, 'repair', 'c', '--store', store]);
		expect(stdout).toBe('c: repaired messages.jsonl\n');
		const again = await run(process.execPath, [main, 'repair', 'c', '--store', store]);
		expect(again.stdout).toBe('c: nothing was damaged\n');
		const unknown = await run(process.execPath, [main, 'repair', 'x', '--store', store]).catch((error) => error);
		expect(unknown).toMatchObject({ code: 1, stderr: 'conversation-server: There is no conversation "x".\n' });
	});

	it('does not write the password of the store', async () => {
		const store = 'postgres://me:s3cret@127.0.0.1:1/shop?password=s3cret';
		const server = spawn(process.execPath, [main, '--store', store, '--port', '0'], {
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		onTestFinished(() => void server.kill('SIGKILL'));
		let [stdout, stderr] = ['', ''];
		server.stderr.setEncoding('utf8').on('data', (text: string) => {
			stderr += text;
		});
		server.stdout.setEncoding('utf8').on('data', (text: string) => {
			stdout += text;
			// Whoever reads this line may send a signal at once.
			server.kill('SIGTERM');
		});
		await once(server, 'close');
		expect(stdout).toMatch(/^Conversations of postgres:\/\/…@127\.0\.0\.1:1\/shop at http/);
		expect(stderr).not.toContain('s3cret');
	});

	it('says what is wrong with it, and exits with 2', async () => {
		for (const [args, message] of [
			[['--port', 'x'], /--port must be a number/],
			[['--port', '0', '--host', '0.0.0.0'], /lets others in: set --jwt-secret/],
			[['--jwt-secret', 'short'], /at least 32 bytes/],
			[['--jwt-secret', 'x'.repeat(32)], /needs --jwt-issuer/],
			[['--vocabulary', 'chat'], /conversation or session/],
			[['--store', ''], /--store must be a folder/],
			[['--store', 'redis://:s3cret@cache'], /or memory, not 'redis:\/\/…@cache'/],
			[['--store', 'redis:/:s3cret@cache/0'], /or memory, not 'redis:\/…@cache\/0'/],
			[['--unknown'], /Unknown option '--unknown'/],
			[['mend', 'c'], /is no command; there is repair ID/],
		] as const) {
			expect(() => parseOptions(args)).toThrow(message);
			expect(() => parseOptions(args)).toThrow(UsageError);
		}
		const failed = await run(process.execPath, [main, '--port', 'x']).catch((error) => error);
		expect(failed).toMatchObject({ code: 2, stderr: expect.stringMatching(/--port must be .* Try --help\.\n$/) });
		expect((await run(process.execPath, [main, '--help'])).stdout).toMatch(/^Usage: conversation-server/);
	});
});
