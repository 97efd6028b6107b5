import {
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	SessionManagerError,
} from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { type ChangeBus, type ChangeEvent, HttpTransport, holdfastEventBus } from '@holdfast/transport-http';
import { createMcpHandler, isLegacyRequest, McpServer, type ServerEventBus } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Loose } from '../../../../test/support/clients/wire-response.ts';
import { settle } from '../../../../test/support/deadline.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { initializeMessage, postHeaders } from '../../../../test/support/rig.ts';
import { statelessHeaders, statelessMessage } from '../../../../test/support/stateless-request.ts';

const makeServer = () =>
	new McpServer(
		{ name: 'own', version: '1' },
		{ capabilities: { tools: { listChanged: true }, resources: { subscribe: true } } },
	);

/** A node that serves 2026-07-28 with the SDK's own handler. */
function sdkNode(bus: ServerEventBus) {
	const handler = createMcpHandler(makeServer, { legacy: 'reject', bus });
	onTestFinished(() => handler.close());
	return {
		handler,
		/** What a listen stream has received so far. */
		async listen(notifications: Record<string, unknown>) {
			const message = statelessMessage('subscriptions/listen', { notifications });
			const request = new Request('http://localhost/mcp', {
				method: 'POST',
				headers: { ...postHeaders, ...statelessHeaders(message) },
				body: JSON.stringify(message),
			});
			const { body } = await handler.fetch(request);
			let received = '';
			const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
			const pump = async () => {
				for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) received += part.value;
			};
			void pump().catch(() => {});
			onTestFinished(() => reader?.cancel());
			return () => received;
		},
	};
}

it('a change that one node publishes reaches the listen streams of every node', async () => {
	const streams = new InMemoryStreamSessionManager();
	const [a, b] = [sdkNode(holdfastEventBus(streams)), sdkNode(holdfastEventBus(streams))];
	const heard = await b.listen({ toolsListChanged: true, resourceSubscriptions: ['note://a'] });
	await eventually(() => heard()).toContain('tools/list_changed');
	a.handler.notify.resourceUpdated('note://b');
	a.handler.notify.resourceUpdated('note://a');
	await eventually(() => heard()).toContain('"uri":"note://a"');
	expect(heard()).not.toContain('note://b');
	a.handler.notify.toolsChanged();
	await eventually(() => heard().split('tools/list_changed').length).toBe(3);
});

it('HttpTransport and createMcpHandler hear each other', async () => {
	const streams = new InMemoryStreamSessionManager();
	const info = new InMemoryInfoSessionManager();
	const transport = new HttpTransport(makeServer, { sessionManager: { streams, info }, stateless: {} });
	onTestFinished(() => transport.close());
	const bus = holdfastEventBus(streams);
	const events: ChangeEvent[] = [];
	const stop = bus.subscribe((event) => events.push(event));
	await eventually(() => events.length).toBe(3);
	await transport.notify.resourceUpdated('note://a');
	await transport.notify.promptsChanged();
	bus.publish({ kind: 'resource_updated', uri: 'note://b', params: { more: 1 } });
	await eventually(() => events.slice(3)).toEqual([
		{ kind: 'resource_updated', uri: 'note://a' },
		{ kind: 'prompts_list_changed' },
		{ kind: 'resource_updated', uri: 'note://b', params: { more: 1 } },
	]);
	stop();
	stop();
	await transport.notify.toolsChanged();
	expect(events).toHaveLength(6);
	await eventually(() => streams.has(' changes')).toBe(false);
});

it("the SDK's handler serves this era beside our sessions at one address, and one notify reaches the clients of both", async () => {
	const streams = new InMemoryStreamSessionManager();
	const sessionManager = { streams, info: new InMemoryInfoSessionManager() };
	const sessions = new HttpTransport(makeServer, { sessionManager });
	onTestFinished(() => sessions.close());
	const modern = sdkNode(holdfastEventBus(streams));
	const serve = async (request: Request) =>
		(await isLegacyRequest(request)) ? sessions.fetch(request) : modern.handler.fetch(request);
	const post = (message: object, headers = {}) =>
		serve(
			new Request('http://localhost/mcp', {
				method: 'POST',
				headers: { ...postHeaders, host: 'localhost', ...headers },
				body: JSON.stringify(message),
			}),
		);
	const opened = await post(initializeMessage());
	const id = opened.headers.get('mcp-session-id') ?? '';
	expect([opened.status, id.length > 20]).toEqual([200, true]);
	const discover = statelessMessage('server/discover');
	expect((await post(discover, statelessHeaders(discover))).status).toBe(200);
	const stream = await serve(
		new Request('http://localhost/mcp', {
			headers: { accept: 'text/event-stream', host: 'localhost', 'mcp-session-id': id },
		}),
	);
	const session = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
	onTestFinished(() => session?.cancel());
	const heard = await modern.listen({ toolsListChanged: true });
	await sessions.notify.toolsChanged();
	await eventually(() => heard()).toContain('tools/list_changed');
	let received = '';
	while (!received.includes('tools/list_changed')) received += (await session?.read())?.value ?? '';
});

it("tools behind the SDK's handler keep state behind handles", async () => {
	const transport = new HttpTransport(makeServer);
	onTestFinished(() => transport.close());
	const handler = createMcpHandler(
		() => {
			const server = makeServer();
			const inputSchema = z.object({ counter: z.string().optional() });
			server.registerTool('count', { inputSchema }, async ({ counter }, context) => {
				const { state, handle } = await transport.stateOf(context, counter);
				const count = await state.increment('count');
				return { content: [{ type: 'text', text: `${count} ${handle}` }] };
			});
			return server;
		},
		{ legacy: 'reject' },
	);
	onTestFinished(() => handler.close());
	const count = async (counter?: string) => {
		const message = statelessMessage('tools/call', {
			name: 'count',
			arguments: counter === undefined ? {} : { counter },
		});
		const init = { method: 'POST', headers: statelessHeaders(message), body: JSON.stringify(message) };
		const answer = await handler.fetch(new Request('http://localhost/mcp', init));
		const { result } = (await answer.json()) as Loose;
		return result.content[0].text.split(' ');
	};
	const [first, handle] = await count();
	expect([first, await count(handle), await count(handle)]).toEqual(['1', ['2', handle], ['3', handle]]);
});

it('what the store refuses is told to onerror of the manager, and nothing is thrown', async () => {
	class Away extends InMemoryStreamSessionManager {
		override send(): never {
			throw new SessionManagerError('unavailable', 'The store is away.');
		}
		override create(): never {
			throw new SessionManagerError('unavailable', 'The store is away.');
		}
	}
	const streams = new Away();
	const errors: Error[] = [];
	streams.onerror = (error) => errors.push(error);
	const bus: ChangeBus = holdfastEventBus(streams);
	bus.publish({ kind: 'tools_list_changed' });
	bus.subscribe(() => {})();
	await eventually(() => errors.map(({ message }) => message)).toEqual(['The store is away.', 'The store is away.']);
});

it('whoever subscribes while the store is away hears once it is back; why is told once', async () => {
	class AtTimesAway extends InMemoryStreamSessionManager {
		isAway = true;
		override create(...args: Parameters<InMemoryStreamSessionManager['create']>) {
			if (this.isAway) throw new SessionManagerError('unavailable', 'The store is away.');
			return super.create(...args);
		}
	}
	const clock = new ManualClock(1_000_000);
	const streams = new AtTimesAway({ clock });
	const errors: Error[] = [];
	streams.onerror = (error) => errors.push(error);
	const bus = holdfastEventBus(streams, { clock });
	const events: ChangeEvent[] = [];
	const stop = bus.subscribe((event) => events.push(event));
	const gone = holdfastEventBus(streams, { clock });
	gone.subscribe(() => {})();
	for (let second = 0; second < 3; second++) {
		await settle();
		clock.advance(1_000);
	}
	streams.isAway = false;
	await settle();
	clock.advance(1_000);
	// Each list is told of once, because something may have been missed.
	await eventually(() => events.length).toBe(3);
	bus.publish({ kind: 'resource_updated', uri: 'note://a' });
	expect(events.slice(3)).toEqual([{ kind: 'resource_updated', uri: 'note://a' }]);
	expect(errors.map(({ message }) => message)).toEqual(['The store is away.', 'The store is away.']);
	stop();
	await eventually(() => streams.has(' changes')).toBe(false);
});
