import { HttpTransport } from '@holdfast/transport-http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { v1McpServer } from '../../../test/support/servers.ts';
import { openSseNodes } from './support/sse-nodes.ts';

const HOUR = 3_600_000;

describe.each(doors)('a session that nobody uses, through $name,', (door) => {
	it('keeps its stream and stays active; nodes without the stream free what they held', async () => {
		const { a, b, c, info } = await openSseNodes(door, { suspendAfterMs: 60_000 });
		const client = await a.session();
		for (const node of [a, b, c]) await client.answerTo(await client.at(node).call('echo', { text: 'x' }));
		await a.advance(HOUR);
		expect(info.read(client.id)).toMatchObject({ status: 'active' });
		expect([client.stream.over, a.transport.stats().connections]).toEqual([false, 1]);
		for (const { transport } of [b, c]) {
			await eventually(() => transport.stats()).toMatchObject({ sessions: 0, liveServers: 0 });
		}
		await c.transport.notify.toolsChanged();
		await client.find(({ method }) => method === 'notifications/tools/list_changed');
		for (const node of [a, b, c]) {
			const again = client.at(node);
			expect((await again.answerTo(await again.call('echo', { text: 'y' }))).result.content[0].text).toBe('y');
		}
	});

	it('keeps its stream before `initialize` too, for as long as the grace', async () => {
		const { a, b } = await openSseNodes(door, { suspendAfterMs: 1_000, graceMs: 20_000 });
		const client = await a.open();
		await a.advance(15_000);
		expect((await client.at(b).initialize()).result).toBeDefined();
		await a.advance(HOUR);
		expect(client.stream.over).toBe(false);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
	});

	it('cannot be suspended by anybody, on any node, with either transport', async () => {
		const { a, b, info, streams, clock } = await openSseNodes(door);
		const http = new HttpTransport((session) => v1McpServer.make({ tools: {} }, session), {
			sessionManager: { streams, info },
			clock,
		});
		onTestFinished(() => http.close());
		const client = await a.session();
		for (const transport of [a.transport, b.transport, http]) {
			expect(await transport.suspend(client.id)).toBe(false);
		}
		expect(await a.transport.suspend('unknown')).toBe(false);
		expect(info.read(client.id)).toMatchObject({ status: 'active' });
		expect(client.stream.over).toBe(false);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
	});
});
