import { describe, expect, it } from 'vitest';
import { advance, type BrokerNodesOptions, openBrokerNodes } from '../../../../test/support/broker-nodes.ts';
import { settle } from '../../../../test/support/deadline.ts';
import { doors } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { at } from '../../../../test/support/nodes.ts';
import { textOf } from '../../../../test/support/rig.ts';
import type { Tool } from '../../../../test/support/servers.ts';

const form = { message: 'Name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };
const named = { action: 'accept', content: { name: 'Ada' } };

describe.each(doors)('what a client says to another node than the one that waits for it, through $name,', (door) => {
	/** A call on A that asks its client, who says the rest on B. */
	async function openAsking(options: BrokerNodesOptions = {}) {
		const progress: number[] = [];
		const ask: Tool = async ({ here }) => {
			const { content } = await here.elicit(form, { onprogress: (step) => progress.push(step.progress) });
			return content.name;
		};
		const nodes = await openBrokerNodes(door, { tools: { ask }, ...options });
		const client = await nodes.a.rig.session({ capabilities: { elicitation: {} } });
		const call = await client.call('ask');
		const question = await call.find(({ method }) => method === 'elicitation/create');
		return { ...nodes, client, call, question, progress, onB: at(nodes.b.rig, client) };
	}

	it('is answered with 202 once that node has it', async () => {
		const { call, question, onB } = await openAsking();
		expect((await onB.reply(question.id, named)).status).toBe(202);
		expect(textOf(await call.answer())).toBe('Ada');
	});

	it('is answered with 503 where that node cannot be reached, and taken when the client tries again', async () => {
		const { a, b, call, question, onB } = await openAsking();
		a.streams.disconnect();
		const refused = onB.reply(question.id, named);
		await b.streams.hasSent('client-message');
		await advance(2_500, b);
		const { status, headers } = await refused;
		expect([status, headers.get('retry-after')]).toEqual([503, '1']);
		a.streams.reconnect();
		expect((await onB.reply(question.id, named)).status).toBe(202);
		expect(textOf(await call.answer())).toBe('Ada');
	});

	it('is taken, and goes nowhere, where that node is gone', async () => {
		const { a, b, question, onB } = await openAsking();
		await a.rig.transport.close();
		await a.streams.close();
		const taken = onB.reply(question.id, named);
		await advance(5_000, b);
		expect((await taken).status).toBe(202);
	});

	it('is taken at once, and goes nowhere, where that node has been hung for long', async () => {
		const { a, b, c, question, onB } = await openAsking();
		a.streams.deafen();
		await advance(60_000, b, c);
		expect((await onB.reply(question.id, named)).status).toBe(202);
	});

	it('is taken, and goes nowhere, where nobody waits on that node any more', async () => {
		const { call, question, onB } = await openAsking();
		await onB.reply(question.id, named);
		await call.ended();
		expect((await onB.reply(question.id, named)).status).toBe(202);
	});

	it('is answered only when it is there, so that what the client says next cannot overtake it', async () => {
		const { a, b, c, call, question, onB, client, progress } = await openAsking();
		const { progressToken } = question.params._meta;
		a.streams.deafen();
		let answered = false;
		const told = onB.notify('notifications/progress', { progressToken, progress: 1 }).then(({ status }) => {
			answered = true;
			return status;
		});
		await b.streams.hasSent('client-message');
		await settle();
		expect([answered, progress]).toEqual([false, []]);
		a.streams.hear();
		expect(await told).toBe(202);
		expect(progress).toEqual([1]);
		expect((await at(c.rig, client).reply(question.id, named)).status).toBe(202);
		expect(textOf(await call.answer())).toBe('Ada');
	});

	it('cancels a call on that node before the cancellation is answered', async () => {
		const { a, b, call, client, onB } = await openAsking();
		a.streams.deafen();
		let answered = false;
		const cancelled = onB.notify('notifications/cancelled', { requestId: client.lastRequestId }).then(({ status }) => {
			answered = true;
			return status;
		});
		await b.streams.hasSent('client-message');
		await settle();
		expect([answered, a.rig.transport.stats().requestsInFlight]).toEqual([false, 1]);
		a.streams.hear();
		expect(await cancelled).toBe(202);
		await eventually(() => a.rig.transport.stats().requestsInFlight).toBe(0);
		await call.ended();
	});

	it('cancels nothing, with 503, where a node was cut off that may run the call', async () => {
		const { a, b, c, call, client, onB } = await openAsking();
		a.streams.deafen();
		// Longer than that node may believe what it cached, and not so long that it is taken for hung.
		await advance(6_000, b, c);
		const refused = onB.notify('notifications/cancelled', { requestId: client.lastRequestId });
		await b.streams.hasSent('client-message');
		await advance(3_000, b, c);
		expect((await refused).status).toBe(503);
		a.streams.hear();
		await advance(1_000, a, b, c);
		expect((await onB.notify('notifications/cancelled', { requestId: client.lastRequestId })).status).toBe(202);
		await eventually(() => a.rig.transport.stats().requestsInFlight).toBe(0);
		await call.ended();
	});
});
