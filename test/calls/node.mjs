// One node of the checker: both transports on the managers that it is told to use, with one tool that does all that a
// tool can
// do. The tool reports to the parent process what became of it: so the checker knows whether a 202 had its effect.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { SseTransport } from '@holdfast/transport-sse';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import {
	CallToolRequestSchema,
	CreateMessageResultSchema,
	ElicitResultSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { mutateInfo, mutateStreams } from './mutants.mjs';

const { managers, mutant } = JSON.parse(process.argv[2] ?? '{}');
const module = await import(managers.module);
const streams = new (mutateStreams(module[managers.streams.name], mutant))(...managers.streams.arguments);
const info = new (mutateInfo(module[managers.info.name], mutant))(...managers.info.arguments);
const complain = (error) => process.send?.({ error: `${error.message} ${error.cause?.message ?? ''}` });
streams.onerror = complain;
info.onerror = complain;

const questions = {
	elicitation: {
		schema: ElicitResultSchema,
		request: (message) => ({
			method: 'elicitation/create',
			params: { message, requestedSchema: { type: 'object', properties: { word: { type: 'string' } } } },
		}),
		word: ({ content }) => content?.word,
	},
	sampling: {
		schema: CreateMessageResultSchema,
		request: (text) => ({
			method: 'sampling/createMessage',
			params: { messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens: 10 },
		}),
		word: ({ content }) => content.text,
	},
};

async function ask({ nonce, kind, timeoutMs }, { sendRequest, signal }) {
	const { request, schema, word } = questions[kind];
	const seen = [];
	const onprogress = ({ progress }) => seen.push(progress);
	try {
		const answer = await sendRequest(request(nonce), schema, { timeout: timeoutMs, onprogress, signal });
		return { word: word(answer), seen };
	} catch (error) {
		return { failure: error.message, seen };
	}
}

function buildServer(session) {
	const server = new Server({ name: 'calls', version: '1' }, { capabilities: { logging: {}, tools: {} } });
	server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
		const { nonce, ms, notes, bytes, question } = params.arguments;
		const report = (type, more) => process.send?.({ nonce, type, at: Date.now(), ...more });
		report('begun');
		const signal = AbortSignal.any([extra.signal, session.signal]);
		try {
			for (let n = 1; n <= notes; n++) {
				const message = { method: 'notifications/message', params: { level: 'info', data: { nonce, n } } };
				await extra.sendNotification(message);
			}
			await sleep(ms, undefined, { signal });
			const answer = question && (await ask({ nonce, ...question }, { ...extra, signal }));
			if (answer) report('asked', answer);
			signal.throwIfAborted();
			report('ended');
			const name = session.clientInfo?.name;
			const text = JSON.stringify({ nonce, name, word: answer?.word, padding: nonce.slice(-1).repeat(bytes) });
			return { content: [{ type: 'text', text }] };
		} catch (error) {
			report(signal.aborted ? 'aborted' : 'failed', { failure: error.message });
			throw error;
		}
	});
	return server;
}

const options = { sessionManager: { streams, info }, onerror: complain };
const streamable = new HttpTransport(buildServer, { ...options, retryMs: 10 });
const sse = new SseTransport(buildServer, options);
const http = createServer((request, response) =>
	sse.handle(request, response, () => streamable.handle(request, response)),
);

process.once('SIGTERM', async () => {
	await shutdown(http, [streamable, sse], { delayMs: 100, timeoutMs: 2_500, spreadMs: 100, idleConnectionsMs: 500 });
	process.exit();
});
process.on('disconnect', () => process.exit());

http.listen(0, '127.0.0.1', () => process.send?.({ port: http.address().port }));
