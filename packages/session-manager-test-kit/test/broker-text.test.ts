import assert from 'node:assert/strict';
import { requestStreamId } from '@holdfast/session-manager/custom';
import { it } from 'vitest';
import { StreamClient, sse } from '../src/stream-client.ts';
import { ToyBroker } from './toy-broker.ts';
import { ToyBrokerManager } from './toy-broker-manager.ts';

/** A client that takes text, as connections do, and measures it. */
class MeasuringClient extends StreamClient {
	readonly wrong: string[] = [];
	measured = 0;

	enqueueText(text: string, bytes: number): void {
		this.measured++;
		if (bytes !== Buffer.byteLength(text)) this.wrong.push(text);
		this.enqueue(new TextEncoder().encode(text));
	}
}

it.each([
	['s', 'plain'],
	['s', 'é 😀 \ud800'],
	[requestStreamId('s', 'plain'), 'é'],
	[requestStreamId('s', 'named é'), 'plain'],
	[requestStreamId('sé', '😀'), 'é'],
])('the length of every event is that of its UTF-8: stream %j, text %j', async (id, text) => {
	await using manager = new ToyBrokerManager(new ToyBroker());
	const client = new MeasuringClient();
	await manager.create(id, client, { prime: sse('prime') });
	await manager.send([id], sse(text));
	if (id === 's') await manager.send(undefined, sse(text));
	await client.has(id === 's' ? 3 : 2);
	assert.equal(client.measured, client.received.length);
	assert.deepEqual(client.wrong, []);
});
