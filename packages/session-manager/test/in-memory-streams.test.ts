import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { EVERY_NODE, nodeAddress, requestStreamId, type StreamController } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { attach, StreamClient, sse, strategies } from './stream-client.ts';

describe.each(strategies)('streams whose controllers count %s', (_, strategy) => {
	const connect = () => new StreamClient(strategy());

	it('delivers to the holder, in the order of the calls', async () => {
		const streams = new InMemoryStreamSessionManager();
		const client = connect();
		attach(streams, 's', client.controller);
		for (let n = 1; n <= 20; n++) streams.send(['s'], sse(n));
		expect(await client.texts()).toEqual(Array.from({ length: 20 }, (_, index) => `${index + 1}`));
	});

	it('puts an id line before an event and touches nothing else', async () => {
		const streams = new InMemoryStreamSessionManager();
		const withIds = connect();
		const without = connect();
		attach(streams, 's', withIds.controller);
		attach(streams, 't', without.controller, { history: false });
		const event = ': a comment\nevent: message\nretry: 5\ndata: {"text":"ä\u2028🜚"}\ndata:\n\n';
		streams.send(['s', 't'], event);
		const received = await withIds.readRaw();
		expect(received?.replace(/^id: [\x21-\x7e]+\n/, '')).toBe(event);
		expect(received).toMatch(/^id: /);
		expect(await without.readRaw()).toBe(event);
	});

	it('gives a stream to the newest: the one before is closed, and each message reaches exactly one', async () => {
		const streams = new InMemoryStreamSessionManager();
		const clients = Array.from({ length: 20 }, connect);
		for (const [index, client] of clients.entries()) {
			attach(streams, 's', client.controller);
			streams.send(['s'], sse(index));
		}
		for (const [index, client] of clients.entries()) {
			expect(await client.texts()).toEqual([`${index}`]);
			expect(client.ended).toBe(index === clients.length - 1 ? undefined : 'closed');
		}
		expect(streams.stats().streams).toBe(1);
	});

	it('takes over from a client that vanished without a word', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [gone, here] = [connect(), connect()];
		attach(streams, 's', gone.controller);
		await gone.vanish();
		attach(streams, 's', here.controller);
		streams.send(['s'], sse('hello'));
		expect(await here.texts()).toEqual(['hello']);
		expect(streams.has('s')).toBe(true);
	});

	it('counts a client that vanished as gone with the next message, and keeps that message for its return', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [gone, back] = [connect(), connect()];
		attach(streams, 's', gone.controller);
		await gone.vanish();
		streams.send(['s'], sse(1));
		streams.send(undefined, sse(2));
		expect(streams.has('s')).toBe(false);
		expect(streams.stats().streams).toBe(0);
		attach(streams, 's', back.controller);
		expect(await back.texts()).toEqual(['1', '2']);
	});

	it('leaves the successor alone when an old attachment is detached, however often', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [old, successor] = [connect(), connect()];
		const attachment = attach(streams, 's', old.controller);
		attach(streams, 's', successor.controller);
		attachment.detach();
		attachment.detach();
		streams.send(['s'], sse('hello'));
		expect(streams.has('s')).toBe(true);
		expect(await successor.texts()).toEqual(['hello']);
		expect(successor.ended).toBeUndefined();
	});

	it('leaves the successor alone when the session was deleted and made again in between', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [old, successor] = [connect(), connect()];
		const attachment = attach(streams, 's', old.controller);
		streams.delete('s');
		attach(streams, 's', successor.controller);
		attachment.detach();
		streams.send(['s'], sse('hello'));
		expect(await successor.texts()).toEqual(['hello']);
	});

	it('delivers what was sent while nobody held the stream at the next create, once', async () => {
		const streams = new InMemoryStreamSessionManager();
		for (const id of ['s', requestStreamId('s', '7')]) {
			const [first, second, third] = [connect(), connect(), connect()];
			const attachment = attach(streams, id, first.controller);
			streams.send([id], sse(1));
			attachment.detach();
			streams.send([id], sse(2));
			streams.send([id], sse(3));
			expect(attach(streams, id, second.controller).continuation).toBe('fresh');
			streams.send([id], sse(4));
			expect(await second.texts()).toEqual(['2', '3', '4']);
			expect(attach(streams, id, third.controller).continuation).toBe('fresh');
			expect(await third.texts()).toEqual([]);
		}
	});

	it('keeps targeted messages and broadcasts for an absent session in one order', async () => {
		const streams = new InMemoryStreamSessionManager();
		const client = connect();
		streams.send(undefined, sse('before the session'));
		streams.send(['s'], sse(1));
		streams.send(undefined, sse(2));
		streams.send(['s'], sse(3));
		streams.send(undefined, sse(4));
		attach(streams, 's', client.controller);
		expect(await client.texts()).toEqual(['1', '2', '3', '4']);
	});

	it('delivers a targeted message to its ids alone, once each, also when an id is named twice', async () => {
		const streams = new InMemoryStreamSessionManager();
		const clients = new Map(['a', 'b', 'c', 'c r'].map((id) => [id, connect()]));
		for (const [id, client] of clients) attach(streams, id, client.controller);
		streams.send(['a', 'c', 'a'], sse('hello'));
		expect(await clients.get('a')?.texts()).toEqual(['hello']);
		expect(await clients.get('b')?.texts()).toEqual([]);
		expect(await clients.get('c')?.texts()).toEqual(['hello']);
		expect(await clients.get('c r')?.texts()).toEqual([]);
	});

	it('broadcasts to every session stream, once, and to no request stream and no address', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [a, b, withoutHistory, request, node] = [connect(), connect(), connect(), connect(), connect()];
		attach(streams, 'a', a.controller);
		attach(streams, 'b', b.controller);
		attach(streams, 'c', withoutHistory.controller, { history: false });
		attach(streams, requestStreamId('a', '1'), request.controller);
		attach(streams, nodeAddress('x'), node.controller);
		streams.send(undefined, sse('hello'));
		expect(await a.texts()).toEqual(['hello']);
		expect(await b.texts()).toEqual(['hello']);
		expect(await withoutHistory.texts()).toEqual(['hello']);
		expect(await request.texts()).toEqual([]);
		expect(await node.texts()).toEqual([]);
	});

	it('reaches every listener of an address, and only that address', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [one, two, other] = [connect(), connect(), connect()];
		const attachments = [
			attach(streams, EVERY_NODE, one.controller),
			attach(streams, EVERY_NODE, two.controller),
			attach(streams, nodeAddress('n'), other.controller),
		];
		streams.send([EVERY_NODE], sse('to all'));
		streams.send([nodeAddress('n')], sse('to one'));
		expect(await one.readRaw()).toBe(sse('to all'));
		expect(await two.texts()).toEqual(['to all']);
		expect(await other.texts()).toEqual(['to one']);

		attachments[0]?.detach();
		streams.send([EVERY_NODE], sse('again'));
		expect(await one.texts()).toEqual([]);
		expect(await two.texts()).toEqual(['again']);
		expect(streams.has(EVERY_NODE)).toBe(true);
		attachments[1]?.detach();
		expect(streams.has(EVERY_NODE)).toBe(false);
		expect(streams.stats().listeners).toBe(1);
	});

	it('keeps nothing for an address that nobody listens on', async () => {
		const streams = new InMemoryStreamSessionManager();
		const client = connect();
		streams.send([EVERY_NODE], sse('lost'));
		attach(streams, EVERY_NODE, client.controller);
		expect(await client.texts()).toEqual([]);
		expect(streams.stats().events).toBe(0);
	});

	it('forgets a listener that vanished with the next message', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [gone, here] = [connect(), connect()];
		attach(streams, EVERY_NODE, gone.controller);
		attach(streams, EVERY_NODE, here.controller);
		await gone.vanish();
		streams.send([EVERY_NODE], sse('hello'));
		expect(await here.texts()).toEqual(['hello']);
		expect(streams.stats().listeners).toBe(1);
	});

	it('deletes an address with all its listeners', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [one, two] = [connect(), connect()];
		attach(streams, EVERY_NODE, one.controller);
		attach(streams, EVERY_NODE, two.controller);
		streams.delete(EVERY_NODE);
		expect(streams.has(EVERY_NODE)).toBe(false);
		await Promise.all([one.readAll(), two.readAll()]);
		expect([one.ended, two.ended]).toEqual(['closed', 'closed']);
	});

	it('ends a session with its request streams, after what was sent to them, and no other session', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [session, request, other] = [connect(), connect(), connect()];
		attach(streams, 's', session.controller);
		attach(streams, requestStreamId('s', '1'), request.controller);
		attach(streams, 's2', other.controller);
		streams.send(['s', requestStreamId('s', '1')], sse('last words'));
		streams.delete('s');
		expect(streams.has('s')).toBe(false);
		expect(streams.has(requestStreamId('s', '1'))).toBe(false);
		expect(streams.has('s2')).toBe(true);
		expect(await session.texts()).toEqual(['last words']);
		expect(await request.texts()).toEqual(['last words']);
		await other.readAll();
		expect([session.ended, request.ended, other.ended]).toEqual(['closed', 'closed', undefined]);
	});

	it('forgets the history of what is deleted', async () => {
		const streams = new InMemoryStreamSessionManager();
		for (const [deleted, id] of [
			['s', 's'],
			['s', 's r'],
			['s r', 's r'],
		] as const) {
			const [before, after] = [connect(), connect()];
			attach(streams, id, before.controller, { prime: sse('prime') });
			await before.readAll();
			streams.send([id], sse('secret'));
			streams.delete(deleted);
			expect(streams.stats().events).toBe(0);
			const lastEventId = before.lastEventId ?? '';
			const { continuation } = attach(streams, id, after.controller, { lastEventId });
			expect(continuation).toBe(id === 's' ? 'gap' : 'unknown');
			expect(await after.texts()).toEqual([]);
		}
	});

	it('ends one request stream without touching the session stream or another request', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [session, one, two] = [connect(), connect(), connect()];
		attach(streams, 's', session.controller);
		attach(streams, 's 1', one.controller);
		attach(streams, 's 2', two.controller);
		streams.send(['s', 's 1', 's 2'], sse('kept'));
		streams.delete('s 1');
		await Promise.all([session.readAll(), one.readAll(), two.readAll()]);
		expect([session.ended, one.ended, two.ended]).toEqual([undefined, 'closed', undefined]);
		expect(streams.stats()).toMatchObject({ streams: 2, events: 2 });
	});

	it('closes every controller when it is closed, and takes nothing after that', async () => {
		const streams = new InMemoryStreamSessionManager();
		const clients = [connect(), connect(), connect()];
		const attachments = ['s', 's 1', EVERY_NODE].map((id, index) =>
			attach(streams, id, clients[index]?.controller ?? connect().controller),
		);
		streams.send(['s', 's 1', EVERY_NODE], sse('last words'));
		streams.send(undefined, sse('to all'));
		streams.close();
		await streams[Symbol.asyncDispose]();
		expect(await Promise.all(clients.map((client) => client.texts()))).toEqual([
			['last words', 'to all'],
			['last words'],
			['last words'],
		]);
		expect(clients.map(({ ended }) => ended)).toEqual(['closed', 'closed', 'closed']);
		for (const attachment of attachments) attachment.detach();
		expect(streams.stats()).toEqual({ streams: 0, listeners: 0, sessions: 0, events: 0 });
		const closed = expect.objectContaining({ name: 'SessionManagerError', code: 'closed' });
		expect(() => attach(streams, 's', connect().controller)).toThrow(closed);
		expect(() => streams.send(['s'], sse(1))).toThrow(closed);
		expect(() => streams.has('s')).toThrow(closed);
		expect(() => streams.delete('s')).toThrow(closed);
		expect(() => streams.position()).toThrow(closed);
		expect(() => streams.expireIn('s', 1_000)).toThrow(closed);
	});
});

describe('streams', () => {
	it('takes no error from ids that nobody knows', () => {
		const streams = new InMemoryStreamSessionManager();
		for (const id of ['nobody', 'nobody 1', nodeAddress('nobody'), '', '__proto__', 'constructor']) {
			expect(streams.has(id)).toBe(false);
			streams.delete(id);
			streams.send([id], sse('hello'));
			expect(streams.has(id)).toBe(false);
		}
		streams.send([], sse('to no one'));
	});

	it('takes ids of any visible characters, apart from look-alikes', async () => {
		const streams = new InMemoryStreamSessionManager();
		const visible = String.fromCharCode(...Array.from({ length: 0x7e - 0x20 }, (_, index) => 0x21 + index));
		const ids = [visible, 's', 'S', 's*', '*', 's%', 'x'.repeat(1024), `${'x'.repeat(1024)}y`, `it's`, '"; drop'];
		const clients = ids.map((id) => {
			const client = new StreamClient();
			attach(streams, id, client.controller);
			return client;
		});
		for (const id of ids) streams.send([id], sse(ids.indexOf(id)));
		for (const [index, client] of clients.entries()) expect(await client.texts()).toEqual([`${index}`]);
	});

	it('answers whether a stream is held from create to detach', () => {
		const streams = new InMemoryStreamSessionManager();
		for (const id of ['s', 's 1', EVERY_NODE]) {
			expect(streams.has(id)).toBe(false);
			const attachment = attach(streams, id, new StreamClient().controller);
			expect(streams.has(id)).toBe(true);
			attachment.detach();
			expect(streams.has(id)).toBe(false);
		}
		attach(streams, 't 1', new StreamClient().controller);
		expect(streams.has('t')).toBe(false);
	});

	it('never touches the controller of a client that is said to be gone', async () => {
		const streams = new InMemoryStreamSessionManager();
		const client = new StreamClient();
		attach(streams, 's', client.controller).detach();
		streams.send(['s'], sse(1));
		streams.delete('s');
		expect(await client.texts()).toEqual([]);
		expect(client.ended).toBeUndefined();
	});

	it('survives a controller that fails at every turn', () => {
		const streams = new InMemoryStreamSessionManager();
		const fail = () => {
			throw new TypeError('gone');
		};
		for (const desiredSize of [1, 0, -1e9, null]) {
			const broken = { enqueue: fail, close: fail, error: fail, desiredSize };
			for (const id of ['s', 's 1', EVERY_NODE]) {
				attach(streams, id, broken, { prime: sse('prime') });
				attach(streams, id, broken);
				streams.send([id], sse(1));
				streams.send(undefined, sse(2));
				attach(streams, id, broken);
				streams.delete(id);
			}
		}
		expect(streams.stats()).toMatchObject({ streams: 0, listeners: 0 });
	});

	it('keeps for the next client what one that went away at once was not handed', async () => {
		for (const id of ['s', 's 1']) {
			for (let takes = 0; takes <= 3; takes++) {
				const streams = new InMemoryStreamSessionManager();
				for (let n = 1; n <= 3; n++) streams.send([id], sse(n));
				let taken = 0;
				const gone: StreamController = {
					enqueue() {
						if (taken === takes) throw new TypeError('gone');
						taken++;
					},
					close() {},
					desiredSize: 1,
				};
				attach(streams, id, gone);
				const next = new StreamClient();
				attach(streams, id, next.controller);
				expect(await next.texts()).toEqual(['1', '2', '3'].slice(takes));
			}
		}
	});

	it('keeps nothing of a client that was gone before its stream began, though nobody says so', () => {
		const clock = new ManualClock();
		const streams = new InMemoryStreamSessionManager({ clock, history: { maxAgeMs: 1000 } });
		const gone = { enqueue() {}, close() {}, desiredSize: null };
		for (const id of ['s', 't 1']) attach(streams, id, gone, { prime: sse('prime') });
		clock.advance(2000);
		expect(streams.stats().sessions).toBe(0);
	});

	it('knows a session that nobody is connected to for as long as its history would be kept', async () => {
		const clock = new ManualClock();
		const streams = new InMemoryStreamSessionManager({ clock, history: { maxAgeMs: 1000 } });
		attach(streams, 's', new StreamClient().controller).detach();
		clock.advance(900);
		streams.send(undefined, sse('news'));
		const back = new StreamClient();
		attach(streams, 's', back.controller);
		expect(await back.texts()).toEqual(['news']);
	});

	it('tells what it holds', () => {
		const streams = new InMemoryStreamSessionManager();
		attach(streams, 'a', new StreamClient().controller);
		attach(streams, 'a 1', new StreamClient().controller);
		attach(streams, EVERY_NODE, new StreamClient().controller);
		streams.send(['a', 'b'], sse(1));
		streams.send(undefined, sse(2));
		expect(streams.stats()).toEqual({ streams: 2, listeners: 1, sessions: 2, events: 3 });
	});
});
