// Starts NATS, two nodes and nginx, talks to the nodes as if they were one server, and fails when a response is wrong.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { NodeProcess, startNats, startNginx } from '@holdfast/local-cluster';
import { Conversation } from './conversation.js';

const nats = await startNats();
const program = fileURLToPath(new URL('server.js', import.meta.url));
const start = () => NodeProcess.start(program, (port) => ({ env: { PORT: `${port}`, NATS_URL: nats.url } }));
const [a, b] = await Promise.all([start(), start()]);
const nginx = await startNginx(
	fileURLToPath(new URL('../../two-nodes-redis/nginx.conf', import.meta.url)),
	[a, b].map(({ port }) => port),
);
const report = { uri: 'file:///report.md' };

// One session, opened on A, which also holds its stream. All other requests go to B.
const session = await Conversation.open(a.url);
// A dies. B keeps notifications until the client has reconnected its stream.
session.url = b.url;
assert.match(await session.call('count'), /^1 on /, 'B calls a tool of a session that A opened');
await session.client.subscribeResource(report);
await hearsOfAReport(session);
session.url = a.url;
assert.match(await session.call('count'), /^2 on /, 'A counts on');
await hearsOfAReport(session);

// A dies. What B has to say before the client is back with its stream waits for it.
session.url = b.url;
const [back, heard] = [session.streams(), session.hears()];
await a.kill();
await session.call('write_report');
await back;
await heard;
assert.match(await session.call('count'), /^3 on /, 'B counts on');

// A is back, knows the session, and ends it on all nodes.
await a.restart();
session.url = a.url;
assert.match(await session.call('count'), /^4 on /, 'A counts on');
assert.equal(await session.statusAt(b.url), 200);
await session.end();
assert.equal(await session.statusAt(b.url), 404, 'a session that ended on A is gone on B');
await session.client.close();

// Another session goes through the balancer, so each request may reach either node.
const balanced = await Conversation.open(nginx.url);
await balanced.client.subscribeResource(report);
const nodes = new Set<string | undefined>();
for (let calls = 1; calls <= 6; calls++) {
	const [count, node] = (await balanced.call('count')).split(' on ');
	assert.equal(count, `${calls}`);
	nodes.add(node);
}
assert.equal(nodes.size, 2, 'both nodes serve the session, and count together');
await hearsOfAReport(balanced);
await b.kill();
assert.match(await balanced.call('count'), /^7 on /, 'the session lives on when a node dies');
await hearsOfAReport(balanced);
await balanced.client.close();

await nginx.close();
await a.stop();
await nats.close();
console.log('custom-session-manager: sessions on two nodes that share NATS, through the death of each');

/** Makes a node announce a changed report, and waits until the client is notified. */
async function hearsOfAReport(client: Conversation): Promise<void> {
	const heard = client.hears();
	await client.call('write_report');
	await heard;
}
