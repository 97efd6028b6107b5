import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import {
	isAddress,
	isSessionStream,
	type StreamController,
	type StreamCreateOptions,
} from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { HttpTransport } from '@holdfast/transport-http';
import { describe, expect, it } from 'vitest';
import { NaiveStreams } from '../../../test/support/custom-managers.ts';
import { Happening, settle } from '../../../test/support/deadline.ts';
import { doors, handleDoor } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { Rig, TestClient } from '../../../test/support/rig.ts';

/** Opens streams of one kind when it is told to. */
class GatedStreams extends InMemoryStreamSessionManager {
	gated: ((id: string) => boolean) | undefined;
	readonly asked = new Happening('a stream to open');
	readonly go = new Happening('the go-ahead for a stream');

	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		if (this.gated?.(id)) {
			this.asked.happen();
			await this.go.wait();
		}
		return super.create(id, controller, options);
	}
}

/** The same without history and attachments. */
class GatedNaiveStreams extends NaiveStreams {
	readonly asked = new Happening('a stream to open');
	readonly go = new Happening('the go-ahead for a stream');

	override async create(id: string, controller: StreamController) {
		if (isSessionStream(id)) {
			this.asked.happen();
			await this.go.wait();
		}
		return super.create(id, controller);
	}
}

/** Takes the farewell of a node only when it is told to. */
class SlowStreams extends InMemoryStreamSessionManager {
	readonly said = new Happening('the farewell of a node');
	readonly go = new Happening('the go-ahead for it');

	override async send(ids: readonly string[] | undefined, data: string) {
		if (data.includes('"bye"')) {
			this.said.happen();
			await this.go.wait();
		}
		return super.send(ids, data);
	}
}

const ways = {
	close: (rig: Rig) => rig.transport.close(),
	drain: async (rig: Rig) => {
		await rig.transport.drain({ delayMs: 0, timeoutMs: 1_000, spreadMs: 0 });
		await rig.transport.close();
	},
};

describe.each(doors)('what a node opens while it closes, through $name:', (door) => {
	describe.each(['close', 'drain'] as const)('%s()', (way) => {
		it.each([
			{ protocolVersion: '2025-11-25', what: 'ended' },
			{ protocolVersion: '2025-06-18', what: 'refused' },
		])('a session stream of $protocolVersion is $what', async ({ protocolVersion, what }) => {
			const streams = new GatedStreams();
			const rig = await Rig.open(door, { sessionManager: { streams } });
			const client = await rig.session({ protocolVersion });
			streams.gated = isSessionStream;
			const opening = client.get();
			await streams.asked.wait();
			await ways[way](rig);
			streams.go.happen();
			const stream = await opening;
			expect(stream.status).toBe(what === 'ended' ? 200 : 503);
			await stream.ended();
			expect([stream.broken, rig.errors]).toEqual([false, []]);
			expect(rig.transport.stats().connections).toBe(0);
			await eventually(() => streams.stats().streams).toBe(0);
		});

		it('a session stream of a manager without attachments is refused', async () => {
			const streams = new GatedNaiveStreams();
			const rig = await Rig.open(door, { sessionManager: { streams } });
			const client = await rig.session();
			const opening = client.get();
			await streams.asked.wait();
			await ways[way](rig);
			streams.go.happen();
			const stream = await opening;
			await stream.ended();
			expect(stream.status).toBe(503);
			expect(rig.transport.stats().connections).toBe(0);
			expect([...streams.controllers.keys()].filter(isSessionStream)).toEqual([]);
		});
	});
});

describe('a node that is closed', () => {
	it('is not ready, and does not begin to listen for that', async () => {
		const streams = new InMemoryStreamSessionManager();
		const transport = new HttpTransport(() => neverMade(), { sessionManager: { streams } });
		await transport.close();
		expect(await transport.isReady()).toBe(false);
		expect(streams.stats().listeners).toBe(0);
	});

	it('does not listen, nor beat, where it had begun to before it closed', async () => {
		const streams = new GatedStreams();
		streams.gated = isAddress;
		const beats: string[] = [];
		streams.send = (_ids, data) => void beats.push(data);
		const transport = new HttpTransport(() => neverMade(), { sessionManager: { streams }, onerror() {} });
		const ready = transport.isReady();
		await streams.asked.wait();
		await transport.close();
		streams.go.happen();
		expect(await ready).toBe(false);
		expect([streams.stats().listeners, beats]).toEqual([0, []]);
	});
});

function neverMade(): never {
	throw new Error('No server is made.');
}

describe.each(doors)('close, through $name', (door) => {
	it('closes every stream, and refuses whatever comes later with 503 and when to try again', async () => {
		const rig = await Rig.open(door);
		const clients = [await rig.session(), await rig.session()] as const;
		const streams = [await clients[0].get(), await clients[1].get()];
		for (const stream of streams) await stream.event(0);
		await rig.transport.close();
		for (const stream of streams) await stream.ended();
		const answers = [
			await rig.initialize(),
			await clients[0].request('ping'),
			await clients[0].get(),
			await clients[0].delete(),
		];
		for (const answer of answers) {
			expect(answer.status).toBe(503);
			expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
		}
		expect(rig.transport.stats()).toEqual({
			sessions: 0,
			liveServers: 0,
			requestsInFlight: 0,
			requestsWaiting: 0,
			connections: 0,
			bodyBytes: 0,
		});
	});

	it('leaves no call without a response, as JSON or on a stream', async () => {
		const [first, second] = [gatedTool(), gatedTool()];
		const rig = await Rig.open(door, { tools: { first: first.tool, second: second.tool } });
		const client = await rig.session();
		const streaming = client.call('first');
		await (await first.arrived.wait()).here.log('info', 'on a stream');
		const stream = await streaming;
		const pending = client.call('second');
		await second.arrived.wait();
		await rig.transport.close();
		const answers = [await stream.answer(), await (await pending).answer()];
		for (const { error } of answers)
			expect(error).toMatchObject({ code: expect.any(Number), message: expect.any(String) });
		await stream.ended();
	});

	it('ends the questions of the server', async () => {
		const rig = await Rig.open(door, {
			tools: { roots: ({ outside }) => outside.roots().then(String, (error: Error) => `failed: ${error.message}`) },
		});
		const client = await rig.session({ capabilities: { roots: {} } });
		const stream = await client.get();
		const pending = client.call('roots');
		await stream.message(0);
		await rig.transport.close();
		await (await pending).ended();
		expect(rig.transport.stats().requestsWaiting).toBe(0);
	});

	it('may be called twice, and by await using', async () => {
		const rig = await Rig.open(door);
		await Promise.all([rig.transport.close(), rig.transport.close()]);
		await rig.transport.close();
		await rig.transport[Symbol.asyncDispose]();
		expect(rig.errors).toEqual([]);
	});

	it('leaves the managers of the caller, and the sessions in them, to the next transport', async () => {
		const clock = new ManualClock(1_000_000);
		const sessionManager = {
			info: new InMemoryInfoSessionManager({ clock }),
			streams: new InMemoryStreamSessionManager({ clock }),
		};
		const before = await Rig.open(door, { clock, sessionManager });
		const old = await before.session();
		const stream = await old.get();
		await stream.event(0);
		await before.transport.close();
		await stream.ended();
		expect(before.made[0]?.signal.aborted).toBe(false);

		const after = await Rig.open(door, { clock, sessionManager });
		await after.transport.notify.toolsChanged();
		const client = new TestClient(after, old.id, old.protocolVersion, old.result);
		expect(await client.ask('echo', { text: 'on' })).toBe('on');
		const resumed = await client.get(stream.lastEventId);
		expect((await resumed.message(0)).method).toBe('notifications/tools/list_changed');
	});
});

describe('a node that closes', () => {
	async function openNode() {
		const clock = new ManualClock(1_000_000);
		const streams = new SlowStreams({ clock });
		const sessionManager = { info: new InMemoryInfoSessionManager({ clock }), streams };
		const rig = await Rig.open(handleDoor, { clock, sessionManager });
		await rig.session();
		await rig.transport.isReady();
		let closed = 0;
		for (let n = 0; n < 2; n++) void rig.transport.close().then(() => closed++);
		await streams.said.wait();
		return { rig, clock, streams, closed: () => closed };
	}

	it('has told the others when it has closed, whoever waits for that', async () => {
		const { rig, streams, closed } = await openNode();
		await settle();
		expect(closed()).toBe(0);
		streams.go.happen();
		await eventually(closed).toBe(2);
		expect(rig.errors).toEqual([]);
	});

	it('waits a second at most for a store that does not take it, and hears nothing of managers closed behind it', async () => {
		const { rig, clock, streams, closed } = await openNode();
		await settle();
		clock.advance(1_000);
		await eventually(closed).toBe(2);
		streams.close();
		streams.go.happen();
		await settle();
		expect(rig.errors).toEqual([]);
	});
});
