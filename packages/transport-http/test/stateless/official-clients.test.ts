import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { HttpTransport } from '@holdfast/transport-http';
import { inputRequired, inputResponse, McpServer } from '@modelcontextprotocol/server';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Answers, connectOfficial, type Mode } from '../../../../test/support/clients/official-client.ts';
import { within } from '../../../../test/support/deadline.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { Mailbox } from '../../../../test/support/mailbox.ts';

// Every client here talks to one address, behind which two nodes take requests in turn. The tools are written once.

const MODERN = '2026-07-28';
const uri = 'note://watched';
const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });
const nodes: HttpTransport[] = [];
const errors: Error[] = [];
const aborted = new Mailbox<string>();
let origin = '';

const word = { type: 'object' as const, properties: { word: { type: 'string' as const } }, required: ['word'] };
const question = (message: string) => inputRequired.elicit({ message, requestedSchema: word });

/** What the user entered; `undefined` before it was asked. */
function entered(answers: Record<string, unknown> | undefined, key: string): unknown {
	const answer = inputResponse(answers, key);
	return answer.kind === 'elicit' && answer.action === 'accept' ? answer.content?.['word'] : undefined;
}

function makeServer(): McpServer {
	const server = new McpServer(
		{ name: 'once', version: '1' },
		{ capabilities: { logging: {}, tools: { listChanged: true }, resources: { subscribe: true } } },
	);
	server.registerTool('greet', {}, ({ mcpReq: { inputResponses } }) => {
		const name = entered(inputResponses, 'name');
		if (name === undefined) return inputRequired({ inputRequests: { name: question('Who are you?') } });
		return text(`Hello ${name}`);
	});
	server.registerTool('book', {}, ({ mcpReq: { inputResponses, requestState } }) => {
		const from = requestState<string>();
		const to = entered(inputResponses, 'to');
		if (from !== undefined && to !== undefined) return text(`${from} to ${to}`);
		const answer = entered(inputResponses, 'from');
		if (typeof answer === 'string')
			return inputRequired({ inputRequests: { to: question('Where to?') }, requestState: answer });
		return inputRequired({ inputRequests: { from: question('Where from?') } });
	});
	server.registerTool('consult', {}, ({ mcpReq: { inputResponses } }) => {
		const answers = inputResponses as Record<string, { content?: { text?: string }; roots?: unknown[] }> | undefined;
		if (answers?.['advice'] !== undefined)
			return text(`${answers['advice'].content?.text}, ${answers['roots']?.roots?.length} root`);
		const advice = inputRequired.createMessage({
			messages: [{ role: 'user', content: { type: 'text', text: 'Well?' } }],
			maxTokens: 10,
		});
		return inputRequired({ inputRequests: { advice, roots: inputRequired.listRoots() } });
	});
	server.registerTool('work', { inputSchema: z.object({ steps: z.int() }) }, async ({ steps }, { mcpReq }) => {
		for (let step = 1; step <= steps; step++) {
			const progressToken = mcpReq._meta?.progressToken ?? 0;
			await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: step } });
			await mcpReq.log(step % 2 === 0 ? 'info' : 'debug', step);
		}
		return text('done');
	});
	server.registerTool('hang', { inputSchema: z.object({ who: z.string() }) }, async ({ who }, { mcpReq }) => {
		await mcpReq.log('error', 'it runs');
		await new Promise((resolve) => mcpReq.signal.addEventListener('abort', resolve, { once: true }));
		aborted.push(who);
		return text('too late');
	});
	server.registerResource('note', uri, {}, () => ({ contents: [{ uri, text: 'a note' }] }));
	return server;
}

beforeAll(async () => {
	const sessionManager = { streams: new InMemoryStreamSessionManager(), info: new InMemoryInfoSessionManager() };
	for (let n = 0; n < 2; n++) {
		const stateless = { requestState: { keys: ['a key of at least thirty-two bytes'] } };
		const onerror = (error: Error) => errors.push(error);
		nodes.push(new HttpTransport(makeServer, { sessionManager, stateless, retryMs: 10, onerror }));
	}
	let turn = 0;
	const server = createServer((request, response) => nodes[turn++ % nodes.length]?.handle(request, response));
	await new Promise<void>((resolve) => {
		server.listen(0, '127.0.0.1', resolve);
	});
	origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	return async () => {
		await Promise.all(nodes.map((node) => node.close()));
		server.closeAllConnections();
		server.close();
	};
});

interface Visitor {
	readonly name: string;
	readonly sdk: 'v1' | 'v2';
	readonly mode?: Mode;
	readonly isModern: boolean;
}

const visitors: readonly Visitor[] = [
	{ name: 'v2, which tries the newest revision first', sdk: 'v2', mode: 'auto', isModern: true },
	{ name: 'v2, pinned to the newest revision', sdk: 'v2', mode: { pin: MODERN }, isModern: true },
	{ name: 'v2, as it is by default', sdk: 'v2', mode: 'legacy', isModern: false },
	{ name: 'v1', sdk: 'v1', isModern: false },
];

describe.each(visitors)('the official client $name', ({ sdk, mode, isModern }) => {
	const connect = (answers: Partial<Answers> = {}) => connectOfficial(sdk, origin, answers, 'http', mode);

	it('has a session or none, and calls the tools of both nodes', async () => {
		const client = await connect();
		expect(client.hasSession).toBe(!isModern);
		expect(await client.listTools()).toEqual(['greet', 'book', 'consult', 'work', 'hang']);
		for (let turn = 0; turn < 4; turn++) expect(await client.call('work', { steps: 0 })).toBe('done');
		expect([client.errors, errors]).toEqual([[], []]);
	});

	it('hears progress and log messages of a call, in order and from the level on that it names', async () => {
		const client = await connect();
		if (!isModern) await client.setLoggingLevel('info');
		const progress: number[] = [];
		const onprogress = (step: number) => progress.push(step);
		expect(await client.call('work', { steps: 6 }, { onprogress, ...(isModern && { logLevel: 'info' }) })).toBe('done');
		expect(progress).toEqual([1, 2, 3, 4, 5, 6]);
		expect(client.logged).toEqual([2, 4, 6]);
	});

	it('is asked by the same tools: once, twice, for advice and for roots', async () => {
		const asked: string[] = [];
		const words: Readonly<Record<string, string>> = {
			'Who are you?': 'Ada',
			'Where from?': 'Bern',
			'Where to?': 'Rome',
		};
		const client = await connect({
			elicit({ message }) {
				asked.push(message);
				return { action: 'accept', content: { word: words[message] ?? '' } };
			},
			sample: () => ({ role: 'assistant', model: 'm', content: { type: 'text', text: 'hold fast' } }),
			roots: () => [{ uri: 'file:///home' }],
		});
		expect(await client.call('greet')).toBe('Hello Ada');
		expect(await client.call('book')).toBe('Bern to Rome');
		expect(await client.call('consult')).toBe('hold fast, 1 root');
		expect(asked).toEqual(Object.keys(words));
		expect([client.errors, errors]).toEqual([[], []]);
	});

	it('hears of changes, whichever node tells of them', async () => {
		const client = await connect();
		await client.watch(uri);
		for (const node of nodes) {
			await node.notify.resourceUpdated('note://other');
			await node.notify.resourceUpdated(uri);
			await node.notify.toolsChanged();
		}
		await client.heard.count(4, 'four notices');
		const told = client.heard.items.map(({ method, params }) => params?.['uri'] ?? method);
		const changed = 'notifications/tools/list_changed';
		expect(told).toEqual([uri, changed, uri, changed]);
	});

	it('cancels a call, and goes on', async () => {
		const client = await connect();
		const cancel = new AbortController();
		const who = `${sdk} ${JSON.stringify(mode)}`;
		const options = { signal: cancel.signal, ...(isModern && { logLevel: 'debug' as const }) };
		const call = client.call('hang', { who }, options);
		call.catch(() => {});
		await client.untilLogged(1);
		cancel.abort('enough');
		await expect(within(call, 'the end of the call')).rejects.toThrow();
		await aborted.until((names) => names.includes(who), 'abort of the tool');
		expect(await client.call('work', { steps: 0 })).toBe('done');
		await eventually(() => nodes.map((node) => node.stats().requestsInFlight)).toEqual([0, 0]);
		expect(errors).toEqual([]);
	});
});
