// Opens sessions at itself and calls a tool. Prints how many bytes Holdfast's own code allocates for each, as JSON.
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { Session } from 'node:inspector/promises';
import { HttpTransport } from '@holdfast/transport-http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

const CALLS = 3_000;
const SESSIONS = 1_000;
/** Average distance of two samples, in bytes. */
const INTERVAL = 128;

const transport = new HttpTransport(() => {
	const server = new McpServer({ name: 'allocating', version: '1' });
	server.registerTool('pong', {}, () => ({ content: [{ type: 'text', text: 'pong' }] }));
	return server;
});
const http = createServer((req, res) => transport.handle(req, res));
// To write a profile may take long on a busy machine.
http.keepAliveTimeout = 60_000;
http.listen(0, '127.0.0.1');
await once(http, 'listening');
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

const inspector = new Session();
inspector.connect();
const session = await open();
const results = {};
for (const [name, times, step] of [
	['call', CALLS, () => call(session)],
	['session', SESSIONS, open],
]) {
	// Until the code is compiled, it allocates more.
	await repeat(times, step);
	results[name] = await allocated(times, step);
}
console.log(JSON.stringify(results));
process.exit(0);

/** Returns the bytes that one `step` allocates in Holdfast's packages, in all and by file. */
async function allocated(times, step) {
	await inspector.post('HeapProfiler.startSampling', {
		samplingInterval: INTERVAL,
		includeObjectsCollectedByMajorGC: true,
		includeObjectsCollectedByMinorGC: true,
	});
	await repeat(times, step);
	const { profile } = await inspector.post('HeapProfiler.stopSampling');
	const files = {};
	count(profile.head, files);
	const each = Object.entries(files).map(([file, bytes]) => [file, Math.round(bytes / times)]);
	return { total: each.reduce((sum, [, bytes]) => sum + bytes, 0), files: Object.fromEntries(each) };
}

function count({ callFrame, selfSize, children }, files) {
	const file = /\/packages\/([^/]+)\/dist\/(.+)\.js$/.exec(callFrame.url);
	if (file !== null) {
		const name = `${file[1]}/${file[2]}`;
		files[name] = (files[name] ?? 0) + selfSize;
	}
	for (const child of children) count(child, files);
}

async function repeat(times, step) {
	for (let n = 0; n < times; n++) await step();
}

/** Opens a session, and returns the headers of its requests. */
async function open() {
	const clientInfo = { name: 'client', version: '1' };
	const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
	const { headers } = await post({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
	const session = { 'mcp-session-id': headers['mcp-session-id'], 'mcp-protocol-version': '2025-11-25' };
	await post({ jsonrpc: '2.0', method: 'notifications/initialized' }, session);
	return session;
}

async function call(session) {
	const { status, text } = await post(
		{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'pong' } },
		session,
	);
	if (status !== 200 || !text.includes('"pong"')) throw new Error(`A call failed: ${status} ${text}`);
}

async function post(message, headers = {}) {
	const req = request({ agent, port: http.address().port, host: '127.0.0.1', method: 'POST', path: '/mcp' });
	req.setHeader('accept', 'application/json, text/event-stream');
	req.setHeader('content-type', 'application/json');
	for (const [name, value] of Object.entries(headers)) req.setHeader(name, value);
	req.end(JSON.stringify(message));
	const [res] = await once(req, 'response');
	let text = '';
	for await (const chunk of res) text += chunk;
	return { status: res.statusCode, headers: res.headers, text };
}
