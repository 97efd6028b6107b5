import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { isAddress } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { expect, it } from 'vitest';
import { doors } from '../support/doors.ts';
import { gatedTool } from '../support/gated-tool.ts';
import { at } from '../support/nodes.ts';
import { Rig, type RigOptions } from '../support/rig.ts';
import type { Call } from '../support/servers.ts';

const big = 'x'.repeat(1024 * 1024);
const capabilities = { elicitation: { form: {} } };
const form = { message: 'a?', requestedSchema: { type: 'object', properties: { a: { type: 'string' } } } };

/** Records how long each message between nodes is. */
class RecordingStreams extends InMemoryStreamSessionManager {
	readonly lengths: number[] = [];

	override send(ids: readonly string[] | undefined, data: string): void {
		if (ids?.some(isAddress)) this.lengths.push(data.length);
		super.send(ids, data);
	}
}

async function openTwo(options: RigOptions = {}) {
	const [door] = doors;
	if (door === undefined) throw new Error('There is no door.');
	const clock = new ManualClock(1_000_000);
	const streams = new RecordingStreams({ clock });
	const shared = { clock, sessionManager: { streams, info: new InMemoryInfoSessionManager({ clock }) } };
	const open = () => Rig.open(door, { ...options, ...shared });
	return { a: await open(), b: await open(), clock, streams };
}

it('no cancellation and no end of a session is told to other nodes at the size that a client gave it', async () => {
	const { a, b, streams } = await openTwo();
	const client = await a.session();
	const elsewhere = at(b, client);
	streams.lengths.length = 0;
	for (const params of [{ requestId: big }, { requestId: 7, reason: big }, { requestId: '7', [big]: big }])
		expect((await elsewhere.notify('notifications/cancelled', params)).status).toBe(202);
	expect((await elsewhere.notify('session/terminate', { reason: big })).status).toBe(202);
	expect((await client.call('echo')).status).toBe(404);
	expect(streams.lengths.length).toBeGreaterThan(2);
	expect(Math.max(...streams.lengths)).toBeLessThan(1_024);
});

it('a cancellation finds its request on another node, one of a very long id only where it runs', async () => {
	const { arrived, tool } = gatedTool();
	const { a, b } = await openTwo({ tools: { hold: tool } });
	const client = await a.session();
	const short = client.call('hold');
	const first = await arrived.wait();
	await at(b, client).notify('notifications/cancelled', { requestId: client.lastRequestId, reason: big });
	await (await short).ended();
	expect(first.signal.aborted).toBe(true);

	const running = client.post({
		jsonrpc: '2.0',
		id: big,
		method: 'tools/call',
		params: { name: 'hold', arguments: {} },
	});
	expect((await client.notify('notifications/cancelled', { requestId: big })).status).toBe(202);
	const response = await running;
	await response.ended();
	expect(response.messages).toEqual([]);
});

it('nothing large is brought to a node that does not wait for it, nothing to one that is not there', async () => {
	const ask = async ({ here }: Call) => JSON.stringify(await here.elicit(form));
	const { a, b, streams } = await openTwo({ tools: { ask } });
	const client = await a.session({ capabilities });
	const call = await client.call('ask');
	const id = String((await call.message(0)).id);
	const elsewhere = at(b, client);
	streams.lengths.length = 0;
	const madeUp = [
		id.replace(/.$/, (last: string) => (last === 'A' ? 'B' : 'A')),
		id.replace(/:[^:]+$/, ''),
		`${a.transport.nodeId}:zzz`,
		`nobody:1:${'A'.repeat(16)}`,
		`${a.transport.nodeId}:1:${'A'.repeat(16)}`,
	];
	for (const each of madeUp)
		expect((await elsewhere.reply(each, { action: 'accept', content: { a: big } })).status).toBe(202);
	for (const progressToken of madeUp) {
		const progress = { progressToken, progress: 1, message: big };
		expect((await elsewhere.notify('notifications/progress', progress)).status).toBe(202);
	}
	expect(Math.max(0, ...streams.lengths)).toBeLessThan(1_024);
	expect((await elsewhere.reply(id, { action: 'accept', content: { a: 'yes' } })).status).toBe(202);
	expect((await call.answer()).result.content[0].text).toContain('yes');
});

it('a large response reaches the node that waits for it', async () => {
	const ask = async ({ here }: Call) => JSON.stringify(await here.elicit(form));
	const { a, b } = await openTwo({ tools: { ask } });
	const client = await a.session({ capabilities });
	const call = await client.call('ask');
	const { id } = await call.message(0);
	expect((await at(b, client).reply(id, { action: 'accept', content: { a: big } })).status).toBe(202);
	expect((await call.answer()).result.content[0].text).toContain(big);
});

it('a session may have so much brought to other nodes and no more, until time has passed', async () => {
	const { a, b, clock, streams } = await openTwo();
	const client = await a.session();
	const other = await a.session();
	const statuses = new Map<number, number>();
	streams.lengths.length = 0;
	for (let n = 0; n < 1_100; n++) {
		const { status } = await at(b, client).notify('notifications/cancelled', { requestId: n });
		statuses.set(status, (statuses.get(status) ?? 0) + 1);
	}
	expect(Object.fromEntries(statuses)).toEqual({ 202: 1_000, 429: 100 });
	expect((await at(b, other).notify('notifications/cancelled', { requestId: 1 })).status).toBe(202);
	clock.advance(1_000);
	expect((await at(b, client).notify('notifications/cancelled', { requestId: 1 })).status).toBe(202);
});
