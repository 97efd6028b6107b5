// A server that hostile input is thrown at, in a process of its own, so that whatever would end a real server ends it.
// It runs what `dist` holds, behind both doors, with a server of the SDK that its argument names. Its parent asks for
// counts over IPC.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { completable as completableV1 } from '@modelcontextprotocol/sdk/server/completable.js';
import * as v1 from '@modelcontextprotocol/sdk/server/mcp.js';
import * as v2 from '@modelcontextprotocol/server';
import { z } from 'zod';

const { McpServer, ResourceTemplate } = process.argv[2] === 'v1' ? v1 : v2;
const completable = process.argv[2] === 'v1' ? completableV1 : v2.completable;

const capabilities = {
	logging: {},
	completions: {},
	tools: { listChanged: true },
	prompts: { listChanged: true },
	resources: { subscribe: true, listChanged: true },
};

const anything = z.looseObject({});
const promptArguments = z.object({ name: completable(z.string(), (start) => [`${start}!`]) });
const template = new ResourceTemplate('note://{name}', { list: undefined });

/** What tools need of a call, whichever SDK carries it. */
function callOf(context) {
	const { id, notify, signal } = context.mcpReq ?? {
		id: context.requestId,
		notify: context.sendNotification,
		signal: context.signal,
	};
	return { id, signal, log: (data) => notify({ method: 'notifications/message', params: { level: 'info', data } }) };
}

const tools = {
	echo: (args) => ({ content: [{ type: 'text', text: String(args.text) }], structuredContent: args }),
	async talk(_, { log }) {
		for (let n = 1; n <= 3; n++) await log({ n });
		return { content: [] };
	},
	/** Takes longer than a response as one JSON object may. */
	async linger() {
		await new Promise((resolve) => setTimeout(resolve, 60));
		return { content: [] };
	},
	async ask(_, { id }, { server }) {
		const requestedSchema = { type: 'object', properties: { word: { type: 'string' } } };
		const answer = await server.elicitInput({ message: 'A word?', requestedSchema }, { relatedRequestId: id });
		return { content: [{ type: 'text', text: JSON.stringify(answer) }] };
	},
	fail() {
		throw new Error('This tool fails.');
	},
	/** Emits until its client is gone for good. */
	async chatter(_, { log, signal }) {
		while (!signal.aborted) {
			await log('still here');
			await new Promise((resolve) => setImmediate(resolve));
		}
		return { content: [] };
	},
	/** Speaks again when it was answered already. */
	late(_, { log }) {
		setImmediate(() => log('too late'));
		return { content: [] };
	},
};

function makeServer() {
	const mcp = new McpServer({ name: 'besieged', version: '1.0.0' }, { capabilities });
	for (const [name, run] of Object.entries(tools)) {
		mcp.registerTool(name, { inputSchema: anything }, (args, context) => run(args, callOf(context), mcp));
	}
	mcp.registerResource('motto', 'motto://', {}, () => ({ contents: [{ uri: 'motto://', text: 'hold fast' }] }));
	mcp.registerResource('note', template, {}, (uri) => ({ contents: [{ uri: uri.href, text: uri.host }] }));
	mcp.registerPrompt('greet', { argsSchema: promptArguments }, ({ name }) => ({
		messages: [{ role: 'user', content: { type: 'text', text: `Greet ${name}.` } }],
	}));
	return mcp;
}

/** Serves the transport that `open` makes of a factory and options. */
export async function serve(open) {
	const streams = new InMemoryStreamSessionManager();
	const info = new InMemoryInfoSessionManager();
	const reported = [];
	const transport = open(makeServer, {
		sessionManager: { streams, info },
		maxBodyBytes: 512 * 1024,
		onerror: (error) => reported.push(String(error.stack)),
	});

	/** What a fetch runtime on `node:http` does. */
	async function respond(incoming, outgoing) {
		const gone = new AbortController();
		outgoing.on('close', () => gone.abort());
		const hasBody = incoming.method !== 'GET' && incoming.method !== 'HEAD';
		const request = new Request(`http://localhost${incoming.url}`, {
			method: incoming.method,
			headers: Object.entries(incoming.headersDistinct).flatMap(([name, values]) =>
				values.map((value) => [name, value]),
			),
			signal: gone.signal,
			...(hasBody && { body: Readable.toWeb(incoming), duplex: 'half' }),
		});
		const response = (await transport.respond(request)) ?? new Response(null, { status: 404 });
		outgoing.writeHead(response.status, Object.fromEntries(response.headers));
		if (response.body === null) outgoing.end();
		// A client that goes in the middle is no failure here.
		else await pipeline(Readable.fromWeb(response.body), outgoing).catch(() => {});
	}

	const servers = [createServer(transport.handle), createServer(respond)];
	for (const server of servers) {
		await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	}

	async function stats() {
		const connections = await Promise.all(
			servers.map((server) => new Promise((resolve) => server.getConnections((_, count) => resolve(count)))),
		);
		const held = {
			...transport.stats(),
			streams: streams.stats(),
			info: info.stats(),
			sockets: connections[0] + connections[1],
		};
		return { held, reported: reported.splice(0) };
	}

	async function heap() {
		// One collection leaves what finalizers and weak references hold.
		for (let pass = 0; pass < 3; pass++) {
			globalThis.gc();
			await new Promise((resolve) => setImmediate(resolve));
		}
		return process.memoryUsage().heapUsed;
	}

	const answers = { stats, heap };
	process.on('message', async ({ id, question }) => process.send({ id, answer: await answers[question]() }));
	process.on('disconnect', () => process.exit());
	const [handlePort, respondPort] = servers.map((server) => server.address().port);
	process.send({ ports: { handle: handlePort, respond: respondPort } });
}
