import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { Rig, textOf } from '../../../test/support/rig.ts';
import { sdks } from '../../../test/support/servers.ts';

describe.each(doors)('connections that the server closes, through $name', (door) => {
	it.each(sdks)(
		'are closed with a time to come back, and the client gets the rest of a call of a $name',
		async (sdk) => {
			const { arrived, go, tool } = gatedTool();
			const rig = await Rig.open(door, { sdk, retryMs: 250, tools: { hold: tool } });
			const client = await rig.session();
			const pending = client.call('hold');
			const call = await arrived.wait();
			await call.here.log('info', 'before');
			const first = await pending;
			call.closeStream?.();
			await first.ended();
			expect([first.broken, first.blocks.at(-1)?.retry]).toEqual([false, 250]);
			expect(first.messages).toHaveLength(1);

			await call.here.log('info', 'meanwhile');
			const second = await client.get(first.lastEventId);
			expect((await second.message(0)).params.data).toBe('meanwhile');
			go.happen('done');
			await second.ended();
			expect(textOf(await second.answer())).toBe('done');
			expect(second.messages).toHaveLength(2);
		},
	);

	it('may be closed before anything was said: the client then has an id to come back with', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { retryMs: 250, tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		(await arrived.wait()).closeStream?.();
		const first = await pending;
		await first.ended();
		expect(first.events).toHaveLength(1);
		expect(first.events[0]).toMatchObject({ id: expect.any(String), data: '' });
		expect(first.blocks.at(-1)?.retry).toBe(250);
		go.happen('done');
		const second = await client.get(first.lastEventId);
		expect(textOf(await second.answer())).toBe('done');
	});

	it('may be closed again and again, until the response is there', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		const call = await arrived.wait();
		call.closeStream?.();
		let stream = await pending;
		for (let round = 0; round < 3; round++) {
			await stream.ended();
			expect(stream.messages).toEqual([]);
			const next = await client.get(stream.lastEventId);
			await next.event(0);
			stream = next;
			call.closeStream?.();
		}
		await stream.ended();
		go.happen('at last');
		expect(textOf(await (await client.get(stream.lastEventId)).answer())).toBe('at last');
	});

	it('stay as they are after the response, or after the client left', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const client = await rig.session();
		const pending = client.call('hold');
		const call = await arrived.wait();
		call.closeStream?.();
		call.closeStream?.();
		const stream = await pending;
		await stream.ended();
		call.closeStream?.();
		go.happen('done');
		expect(textOf(await (await client.get(stream.lastEventId)).answer())).toBe('done');
		call.closeStream?.();
		expect(await client.ask('echo', { text: 'fine' })).toBe('fine');
		expect(rig.errors).toEqual([]);
	});

	it.each(sdks)('may be the session stream, asked for by a call of a $name: nothing of it is lost', async (sdk) => {
		const rig = await Rig.open(door, {
			sdk,
			retryMs: 250,
			tools: {
				close: ({ closeSessionStream }) => {
					closeSessionStream?.();
					return closeSessionStream === undefined ? 'cannot' : 'closed';
				},
			},
		});
		const client = await rig.session();
		const first = await client.get();
		await first.event(0);
		expect(await client.ask('close')).toBe('closed');
		await first.ended();
		expect([first.broken, first.blocks.at(-1)?.retry]).toEqual([false, 250]);
		await rig.transport.notify.toolsChanged();
		const second = await client.get(first.lastEventId);
		expect((await second.message(0)).method).toBe('notifications/tools/list_changed');
	});

	it('leave other streams open', async () => {
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, { tools: { hold: tool } });
		const [client, other] = [await rig.session(), await rig.session()];
		const streams = [await client.get(), await other.get()];
		const pending = client.call('hold');
		(await arrived.wait()).closeStream?.();
		await (await pending).ended();
		await rig.transport.notify.toolsChanged();
		for (const stream of streams) await stream.message(0);
		go.happen('');
	});

	it.each(['2025-06-18', '2025-03-26'])(
		'are not offered to tools in a session of %s, whose clients do not come back',
		async (protocolVersion) => {
			const rig = await Rig.open(door, { tools: { offer } });
			const client = await rig.session({ protocolVersion });
			expect(await client.ask('offer')).toBe('undefined undefined');
		},
	);

	it('are not offered to tools where every response is JSON', async () => {
		const rig = await Rig.open(door, { responseMode: 'json', tools: { offer } });
		expect(await (await rig.session()).ask('offer')).toBe('undefined undefined');
	});
});

function offer({ closeStream, closeSessionStream }: { closeStream: unknown; closeSessionStream: unknown }): string {
	return `${typeof closeStream} ${typeof closeSessionStream}`;
}
