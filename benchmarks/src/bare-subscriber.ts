/**
 * The receiving end of bare ioredis. `node bare-subscriber.js <url> <channel>` reports to its parent when each message
 * arrived, in nanoseconds of the machine's monotonic clock, which all processes share. First it reports the port at
 * which it forwards the messages to one client, with bare `node:http`; while a client is connected, it reports nothing.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';

const [, , url = '', channel = ''] = process.argv;
const subscriber = new Redis(url);
let client: ServerResponse | undefined;
process.once('disconnect', () => process.exit());
subscriber.on('message', (_, message) => {
	if (client === undefined) process.send?.(String(process.hrtime.bigint()));
	else client.write(message);
});
await subscriber.subscribe(channel);

const server = createServer((_, response) => {
	client = response.writeHead(200, { 'content-type': 'text/event-stream' });
	client.flushHeaders();
});
server.listen(0, '127.0.0.1', () => process.send?.(String((server.address() as AddressInfo).port)));
