import type { Connection, JsonRpcNotification } from '@holdfast/transport/internal';
import { describe, expect, it } from 'vitest';
import { ListenStream, listenEvent } from '../../src/stateless/listen-stream.ts';

/** A client that reads when it is told to. */
class SlowClient implements Connection {
	readonly open = true;
	readonly begun = true;
	readonly written: string[] = [];
	readonly taken = 0;
	room = 1;
	#read: (() => void) | undefined;

	write(text: string) {
		this.written.push(text);
		this.room = 0;
	}

	read() {
		this.room = 1;
		const read = this.#read;
		this.#read = undefined;
		read?.();
	}

	onRead(listener: () => void) {
		this.#read = listener;
	}

	get desiredSize() {
		return this.room;
	}

	enqueue() {}
	enqueueText() {}
	close() {}
	onEnd() {}
	onGone() {}
	destroy() {}
	error() {}
}

const tools: JsonRpcNotification = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' };
const updated = (uri: string): JsonRpcNotification => ({
	jsonrpc: '2.0',
	method: 'notifications/resources/updated',
	params: { uri },
});
const sub = { 'io.modelcontextprotocol/subscriptionId': 'a"b' };
const dataOf = (event: string | undefined) => JSON.parse(/^data: (.+)$/m.exec(event ?? '')?.[1] ?? 'null');

describe('a listen stream', () => {
	it('merges what a slow client has not read: of equal notices, one waits', () => {
		const client = new SlowClient();
		const stream = new ListenStream(client, 'a"b', { toolsListChanged: true }, undefined, undefined);
		for (let n = 0; n < 10_000; n++) {
			stream.send(listenEvent(tools));
			stream.send(listenEvent(updated(`note://${n % 3}`)));
		}
		expect(client.written).toHaveLength(1);
		for (let n = 0; n < 10; n++) client.read();
		expect(client.written.map(dataOf)).toEqual([
			{ ...tools, params: { _meta: sub } },
			{ ...updated(''), params: { uri: 'note://0', _meta: sub } },
			{ ...tools, params: { _meta: sub } },
			...[1, 2].map((n) => ({ ...updated(''), params: { uri: `note://${n}`, _meta: sub } })),
		]);
		stream.send(listenEvent(tools));
		expect(client.written).toHaveLength(6);
	});

	it('keeps what else a change says, and adds its id', () => {
		const client = new SlowClient();
		const stream = new ListenStream(client, 'a"b', {}, undefined, undefined);
		stream.send(
			listenEvent({ ...updated('note://"'), params: { uri: 'note://"', more: [1, '}'], _meta: { own: { x: 1 } } } }),
		);
		expect(dataOf(client.written[0])).toEqual({
			...updated(''),
			params: { uri: 'note://"', more: [1, '}'], _meta: { own: { x: 1 }, ...sub } },
		});
	});
});
