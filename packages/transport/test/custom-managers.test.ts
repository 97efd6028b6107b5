import { isAddress, systemClock } from '@holdfast/session-manager/custom';
import { describe, expect, it } from 'vitest';
import { type Answers, connectOfficial } from '../../../test/support/clients/official-client.ts';
import {
	AsynchronousInfo,
	AttachingStreams,
	LateResumableStreams,
	LateStreams,
	NaiveStreams,
} from '../../../test/support/custom-managers.ts';
import { Happening, within } from '../../../test/support/deadline.ts';
import { handleDoor } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { Rig, type RigOptions, TestClient } from '../../../test/support/rig.ts';
import { type Tool, v1McpServer, v2McpServer } from '../../../test/support/servers.ts';

const form = { message: 'Name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };
const nothing = { sessions: 0, liveServers: 0, requestsInFlight: 0, requestsWaiting: 0, connections: 0, bodyBytes: 0 };

/** What a user put into a transport; what is left out is in memory. */
interface Managers {
	readonly streams?: NaiveStreams | LateResumableStreams;
	readonly info?: AsynchronousInfo;
}

const managers: readonly { name: string; make: () => Managers }[] = [
	{ name: 'a Map of controllers', make: () => ({ streams: new NaiveStreams() }) },
	{ name: 'a Map that tells connections apart', make: () => ({ streams: new AttachingStreams() }) },
	{ name: 'an asynchronous info manager', make: () => ({ info: new AsynchronousInfo() }) },
	{ name: 'both, and late', make: () => ({ streams: new LateStreams(), info: new AsynchronousInfo() }) },
	{
		name: 'a late store with history',
		make: () => ({ streams: new LateResumableStreams(), info: new AsynchronousInfo() }),
	},
];

const open = (options: RigOptions) => Rig.open(handleDoor, { clock: systemClock, retryMs: 10, ...options });

describe.each(managers)('on $name', ({ make }) => {
	describe.each([
		{ clientSdk: 'v1', sdk: v1McpServer },
		{ clientSdk: 'v2', sdk: v2McpServer },
	] as const)('the official client $clientSdk', ({ clientSdk, sdk }) => {
		async function connect(tools: Record<string, Tool> = {}, answers: Partial<Answers> = {}) {
			const rig = await open({ sdk, tools, sessionManager: make() });
			const client = await connectOfficial(clientSdk, rig.door.origin, answers);
			// Without history, what is sent before the session stream is there is lost.
			await client.exchanges.until(
				(all) => all.some(({ method, status }) => method === 'GET' && status === 200),
				'stream',
			);
			return { rig, client };
		}

		it('calls, hears logs and progress, and sets the level', async () => {
			const talk: Tool = async ({ here, outside, progress }) => {
				await progress(1);
				await here.log('info', 'on the call');
				await outside.log('warning', 'on the session');
				await progress(2);
				return 'talked';
			};
			const { client, rig } = await connect({ talk });
			const progress: number[] = [];
			expect(await client.call('talk', {}, { onprogress: (n) => progress.push(n) })).toBe('talked');
			expect(new Set(await client.untilLogged(2))).toEqual(new Set(['on the call', 'on the session']));
			expect(progress).toEqual([1, 2]);
			await client.setLoggingLevel('warning');
			await client.call('talk');
			expect((await client.untilLogged(3))[2]).toBe('on the session');
			expect(rig.errors).toEqual([]);
		});

		it('answers questions on the stream of the call and on the session stream', async () => {
			const ask: Tool = async ({ here, outside }) => {
				const answers = [
					await here.elicit(form),
					await outside.elicit(form),
					...(await Promise.all([here.roots(), outside.roots()])),
				];
				return JSON.stringify(answers);
			};
			const named = { action: 'accept', content: { name: 'Ada' } } as const;
			const roots = { roots: [{ uri: 'file:///home' }] };
			const { client, rig } = await connect({ ask }, { elicit: () => named, roots: () => roots.roots });
			expect(JSON.parse(await client.call('ask'))).toEqual([named, named, roots, roots]);
			expect(rig.errors).toEqual([]);
		});

		it('hears of changes it is subscribed to', async () => {
			const { client, rig } = await connect();
			await client.subscribe('a://1');
			await rig.transport.notify.resourceUpdated('a://1');
			await rig.transport.notify.resourceUpdated('a://2');
			await rig.transport.notify.toolsChanged();
			await client.heard.count(2, 'second notification');
			expect(client.heard.items.map(({ method, params }) => params?.['uri'] ?? method)).toEqual([
				'a://1',
				'notifications/tools/list_changed',
			]);
			expect(rig.errors).toEqual([]);
		});

		it('cancels a call', async () => {
			const begun = new Happening('the call');
			const aborted = new Happening('the abort of the tool');
			const hang: Tool = async ({ signal }) => {
				signal.addEventListener('abort', () => aborted.happen(), { once: true });
				begun.happen();
				await aborted.wait();
				return 'too late';
			};
			const { client, rig } = await connect({ hang });
			const abort = new AbortController();
			const call = client.call('hang', {}, { signal: abort.signal });
			call.catch(() => {});
			await begun.wait();
			abort.abort('enough');
			await expect(within(call, 'the end of the call')).rejects.toThrow();
			await aborted.wait();
			await eventually(() => rig.transport.stats()).toMatchObject({ requestsInFlight: 0, connections: 1 });
		});

		it('ends its session with DELETE, and starts another', async () => {
			const { client, rig } = await connect();
			const { sessionId } = client;
			await client.terminate();
			await eventually(() => rig.transport.stats()).toEqual(nothing);
			await expect(client.call('echo', { text: 'x' })).rejects.toThrow();
			await client.close();
			const again = await connectOfficial(clientSdk, rig.door.origin);
			expect(await again.call('echo', { text: 'x' })).toBe('x');
			expect(again.sessionId).not.toBe(sessionId);
			expect(rig.errors).toEqual([]);
		});
	});

	it('gives the session stream to the newest of many GETs at once, and to the next when it goes', async () => {
		const rig = await open({ sessionManager: make() });
		const client = await rig.session();
		const streams = await Promise.all([client.get(), client.get(), client.get(), client.get(), client.get()]);
		await eventually(() => streams.filter(({ over }) => !over)).toHaveLength(1);
		await rig.transport.notify.toolsChanged();
		const [newest] = streams.filter(({ over }) => !over);
		expect((await newest?.message(0))?.method).toBe('notifications/tools/list_changed');
		newest?.drop();
		await eventually(() => rig.transport.stats()).toMatchObject({ connections: 0 });
		const next = await client.get();
		await rig.transport.notify.promptsChanged();
		expect((await next.message(0)).method).toBe('notifications/prompts/list_changed');
		expect(streams.flatMap(({ messages }) => messages)).toHaveLength(1);
		expect(rig.errors).toEqual([]);
	});

	it('goes on with a client whose stream comes and goes', async () => {
		const rig = await open({ sessionManager: make() });
		const client = await rig.session();
		for (let round = 0; round < 10; round++) {
			const stream = await client.get();
			await rig.transport.notify.resourcesChanged();
			expect((await stream.message(0)).method).toBe('notifications/resources/list_changed');
			stream.drop();
			// Every other time, the server has not noticed yet.
			if (round % 2 === 0) await eventually(() => rig.transport.stats()).toMatchObject({ connections: 0 });
		}
		expect(rig.errors).toEqual([]);
	});

	it('makes one live server for simultaneous requests after it was freed', async () => {
		const rig = await open({ sessionManager: make() });
		const client = await rig.session();
		for (let round = 1; round <= 3; round++) {
			expect(await rig.transport.release(client.id)).toBe(true);
			const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => client.ask('echo', { text: `${n}` })));
			expect(answers).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`));
			expect(rig.made).toHaveLength(1 + round);
			expect(rig.transport.stats()).toEqual({ ...nothing, sessions: 1, liveServers: 1 });
		}
	});

	it('leaves nothing when the session ends while its stream is being opened', async () => {
		const sessionManager = make();
		const rig = await open({ sessionManager });
		const other = await rig.session();
		for (let round = 0; round < 10; round++) {
			const client = await rig.session();
			const [stream] = await Promise.all([client.get(), client.delete()]);
			await within(stream.ended(), 'the end of the stream');
		}
		await eventually(() => rig.transport.stats()).toEqual({ ...nothing, sessions: 1, liveServers: 1 });
		await expectNoStreams(sessionManager);
		expect((await other.delete()).status).toBe(200);
	});

	it('leaves nothing when the client goes while its stream is being opened', async () => {
		const sessionManager = make();
		const rig = await open({ sessionManager });
		const client = await rig.session();
		const gone = new AbortController();
		const headers = { accept: 'text/event-stream', ...client.headers };
		const opening = fetch(`${rig.door.origin}/mcp`, { headers, signal: gone.signal });
		opening.catch(() => {});
		// The server has the request now; a late manager has not opened the stream.
		await client.ask('echo', { text: 'x' });
		gone.abort();
		await eventually(() => rig.transport.stats()).toMatchObject({ connections: 0 });
		await expectNoStreams(sessionManager);
		await rig.transport.notify.toolsChanged();
		const stream = await client.get();
		await rig.transport.notify.promptsChanged();
		await stream.find(({ method }) => method === 'notifications/prompts/list_changed');
		expect(rig.errors).toEqual([]);
	});
});

describe('on two nodes that share streams without history', () => {
	it('leaves the stream of one node alone when it was taken over from the other', async () => {
		const sessionManager = { streams: new AttachingStreams(), info: new AsynchronousInfo() };
		const [a, b] = [await open({ sessionManager }), await open({ sessionManager })];
		const onA = await a.session();
		const onB = new TestClient(b, onA.id, onA.protocolVersion, onA.result);
		const old = await onA.get();
		const newest = await onB.get();
		await within(old.ended(), 'the end of the old stream');
		await eventually(() => a.transport.stats()).toMatchObject({ connections: 0 });
		await a.transport.notify.toolsChanged();
		expect((await newest.message(0)).method).toBe('notifications/tools/list_changed');
		newest.drop();
		await eventually(() => sessionManager.streams.controllers.has(onA.id)).toBe(false);
		expect([...a.errors, ...b.errors]).toEqual([]);
	});
});

/** Nothing is left but the addresses on which the node listens. */
async function expectNoStreams({ streams }: Managers): Promise<void> {
	if (streams instanceof LateResumableStreams) {
		await eventually(() => streams.memory.stats()).toMatchObject({ streams: 0, sessions: 0 });
	} else if (streams !== undefined) {
		await eventually(() => [...streams.controllers.keys()].filter((id) => !isAddress(id))).toEqual([]);
	}
}
