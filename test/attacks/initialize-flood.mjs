// A node that 1,500 anonymous clients tell all that they may about themselves, in a process of its own, whose heap is
// bounded. Its argument says what they tell. Prints what is left at the end.
import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import { HttpTransport } from '@holdfast/transport-http';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';

const LIMIT = 64 * 1024;
const params = (list, text) => ({
	protocolVersion: '2025-11-25',
	capabilities: { experimental: { list } },
	clientInfo: { name: 'flood', version: text },
});
const objects = (count) => Array(count).fill({});
const tales = {
	// The reviewer's attack: [{},{},…]
	objects: params(objects(21_000), '1'),
	// As many values as are taken, and text for the rest.
	most: params(objects(992), 'x'.repeat(LIMIT - JSON.stringify(params(objects(992), '')).length)),
};
const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: tales[process.argv[2]] });
const headers = {
	host: '127.0.0.1',
	accept: 'application/json, text/event-stream',
	'content-type': 'application/json',
	'content-length': String(body.length),
};

const info = new InMemoryInfoSessionManager({ maxBytes: 64 * 1024 * 1024 });
const transport = new HttpTransport(() => new Server({ name: 'node', version: '1' }, { capabilities: {} }), {
	sessionManager: { info },
});
const statuses = {};
for (let n = 0; n < 1_500; n++) {
	const response = await transport.respond(new Request('http://127.0.0.1/mcp', { method: 'POST', headers, body }));
	const { error } = await response.json();
	const outcome = error === undefined ? response.status : `${response.status} ${error.code}`;
	statuses[outcome] = (statuses[outcome] ?? 0) + 1;
}
globalThis.gc();
process.stdout.write(JSON.stringify({ statuses, heap: process.memoryUsage().heapUsed, ...transport.stats() }));
await transport.close();
info.close();
