import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { openSseNodes } from './support/sse-nodes.ts';

describe.each(doors)('drain of the node that holds streams, through $name,', (door) => {
	it('closes idle ones once balancers know: their clients begin again on another node', async () => {
		const { a, b, clock } = await openSseNodes(door);
		const client = await a.session();
		const drained = a.transport.drain({ delayMs: 2_000 });
		clock.advance(1_999);
		expect(await client.ask('echo', { text: 'x' })).toBe('x');
		clock.advance(1);
		await client.stream.ended();
		await drained;
		expect((await a.get()).status).toBe(503);
		expect(await (await b.session()).ask('echo', { text: 'x' })).toBe('x');
	});

	it.each(['a', 'b'] as const)(
		'lets calls end first, wherever they run: their responses go on the stream (%s)',
		async (runs) => {
			const { tool, arrived, go } = gatedTool();
			const nodes = await openSseNodes(door, { tools: { slow: tool } });
			const { a, clock } = nodes;
			const client = await a.session();
			const there = client.at(nodes[runs]);
			await there.answerTo(await there.call('echo', { text: 'before' }));
			const id = await there.call('slow');
			await arrived.wait();
			let over = false;
			const drained = a.transport.drain({ delayMs: 0 }).then(() => {
				over = true;
			});
			await a.advance(10_000);
			expect([over, client.stream.over]).toEqual([false, false]);
			go.happen('done');
			expect((await client.answerTo(id)).result.content[0].text).toBe('done');
			await eventually(() => {
				clock.advance(50);
				return over;
			}).toBe(true);
			await drained;
			await client.stream.ended();
		},
	);
});
