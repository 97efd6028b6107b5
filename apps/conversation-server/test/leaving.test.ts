import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** How often clients look which servers are ready, in milliseconds: well below the delay of a server that leaves. */
const LOOK_MS = 100;
const CLIENTS = 8;

interface Node {
	readonly url: string;
	readonly process: ChildProcess;
	isReady: boolean;
}

interface Reply {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly text: string;
}

async function startNode(store: string): Promise<Node> {
	const child = spawn(process.execPath, [main, '--store', store, '--port', '0', '--drain-delay-ms', '1000'], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	onTestFinished(() => void child.kill('SIGKILL'));
	let text = '';
	for await (const chunk of child.stdout) {
		text += chunk;
		const [, url] = / at (\S+)\n/.exec(text) ?? [];
		if (url !== undefined) return { url, process: child, isReady: true };
	}
	throw new Error(`The server did not start: ${text}`);
}

function send(url: string, agent: Agent, method: string, headers: object = {}, body?: object): Promise<Reply> {
	return new Promise((resolve, reject) => {
		const accepted = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
		const sent = request(url, { method, agent, headers: { ...accepted, ...headers } }, (response) => {
			let text = '';
			response.setEncoding('utf8').on('data', (chunk: string) => {
				text += chunk;
			});
			response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
			response.on('error', reject);
		});
		sent.on('error', reject);
		sent.end(body && JSON.stringify(body));
	});
}

/** Asks a server whether it is ready, as a balancer does: on a connection of its own, and only 503 says no. */
async function looksReady({ url }: Node): Promise<boolean> {
	const agent = new Agent({ keepAlive: false });
	return send(new URL('/readyz', url).href, agent, 'GET').then(
		({ status }) => status !== 503,
		() => false,
	);
}

test('no call fails on kept connections while one of two servers is stopped', { timeout: 60_000 }, async () => {
	const folder = await mkdtemp(join(tmpdir(), 'holdfast-server-'));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	const store = join(folder, 'conversations.db');
	const nodes = [await startNode(store), await startNode(store)] as const;
	const [leaving, staying] = nodes;
	let over = false;
	const looking = (async () => {
		while (!over) {
			for (const node of nodes) node.isReady = await looksReady(node);
			await pause(LOOK_MS);
		}
	})();

	const failures: string[] = [];
	const served = new Map<Node, number>();
	const clients = Array.from({ length: CLIENTS }, async (_, n) => {
		const agent = new Agent({ keepAlive: true, maxSockets: 1 });
		onTestFinished(() => agent.destroy());
		const params = {
			protocolVersion: '2025-11-25',
			capabilities: {},
			clientInfo: { name: 'test', version: '1.0.0' },
		};
		const opened = await send(leaving.url, agent, 'POST', {}, { jsonrpc: '2.0', id: 0, method: 'initialize', params });
		const session = { 'mcp-session-id': opened.headers['mcp-session-id'], 'mcp-protocol-version': '2025-11-25' };
		for (let id = 1; !over; id++) {
			const ready = nodes.filter(({ isReady }) => isReady);
			const node = ready[(id + n) % ready.length] ?? staying;
			const call = { name: 'list_conversations', arguments: {} };
			try {
				const reply = await send(node.url, agent, 'POST', session, {
					jsonrpc: '2.0',
					id,
					method: 'tools/call',
					params: call,
				});
				if (reply.status !== 200 || !reply.text.includes('"structuredContent"'))
					failures.push(`${reply.status} ${reply.text}`);
				else served.set(node, (served.get(node) ?? 0) + 1);
			} catch (error) {
				failures.push(String((error as { readonly code?: unknown }).code ?? error));
			}
		}
	});

	await expect.poll(() => nodes.every((node) => (served.get(node) ?? 0) > CLIENTS), { timeout: 20_000 }).toBe(true);
	const exit = once(leaving.process, 'exit');
	leaving.process.kill('SIGTERM');
	expect(await exit).toEqual([0, null]);
	const before = served.get(staying) ?? 0;
	await expect.poll(() => (served.get(staying) ?? 0) > before + CLIENTS, { timeout: 20_000 }).toBe(true);
	over = true;
	await Promise.all([...clients, looking]);
	expect(failures).toEqual([]);
});

test('a server says that it lives and whether it is ready, and a second signal cuts its leaving short', async () => {
	const node = await startNode('memory');
	const agent = new Agent({ keepAlive: true });
	onTestFinished(() => agent.destroy());
	const at = async (path: string, method = 'GET') => (await send(new URL(path, node.url).href, agent, method)).status;
	expect([await at('/healthz'), await at('/readyz'), await at('/readyz', 'POST')]).toEqual([200, 200, 405]);
	const exit = once(node.process, 'exit');
	node.process.kill('SIGTERM');
	await expect.poll(() => at('/readyz')).toBe(503);
	expect(await at('/healthz')).toBe(200);
	node.process.kill('SIGTERM');
	expect(await exit).toEqual([0, null]);
});
