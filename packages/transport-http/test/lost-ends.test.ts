import {
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	type StreamSessionManager,
} from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { settle } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { at } from '../../../test/support/nodes.ts';
import { Rig, textOf } from '../../../test/support/rig.ts';
import type { Tool } from '../../../test/support/servers.ts';
import { ToyBroker } from '../../session-manager-test-kit/test/toy-broker.ts';
import { ToyBrokerManager } from '../../session-manager-test-kit/test/toy-broker-manager.ts';

/** How many events both engines keep of a session. */
const history = { maxEvents: 4 };

/** Ways to keep streams for several nodes; what each answers is a manager for one more node. */
const engines: readonly { readonly engine: string; open(clock: ManualClock): () => StreamSessionManager }[] = [
	{
		engine: 'in memory',
		open(clock) {
			const streams = new InMemoryStreamSessionManager({ clock, history });
			return () => streams;
		},
	},
	{
		engine: 'over a broker',
		open(clock) {
			const broker = new ToyBroker();
			return () => {
				const streams = new ToyBrokerManager(broker, { clock, history });
				onTestFinished(() => streams.close());
				return streams;
			};
		},
	},
];

const cases = doors.flatMap((door) => engines.map((engine) => ({ ...engine, door, name: door.name })));

describe.each(cases)('a client that lost the stream of its call, with streams $engine, through $name,', (engine) => {
	/** Two nodes; the client of a call on A has gone after its first message, and the call still runs. */
	async function openLost() {
		const clock = new ManualClock(1_000_000);
		const info = new InMemoryInfoSessionManager({ clock });
		const makeStreams = engine.open(clock);
		const { arrived, go, tool } = gatedTool();
		const say: Tool = async ({ outside, args }) => {
			for (let n = 0; n < args['count']; n++) await outside.log('info', n);
			return '';
		};
		const openNode = () =>
			Rig.open(engine.door, {
				clock,
				sessionManager: { streams: makeStreams(), info },
				tools: { hold: tool, say },
			});
		const [a, b] = [await openNode(), await openNode()];
		const client = await a.session();
		const calling = client.call('hold');
		await (await arrived.wait()).here.log('info', 1);
		const stream = await calling;
		await stream.message(0);
		const id = client.lastRequestId;
		stream.drop();
		await eventually(() => a.transport.stats().connections).toBe(0);
		await settle();
		const after = stream.lastEventId;
		const respond = async () => {
			go.happen('done');
			await eventually(() => a.transport.stats().requestsInFlight).toBe(0);
			await settle();
		};
		return { a, b, client, id, after, respond };
	}

	it.each(['a', 'b'] as const)(
		'gets an error where the end was pushed out before it came back (to %s)',
		async (node) => {
			const { client, id, after, respond, ...nodes } = await openLost();
			await respond();
			await client.ask('say', { count: 10 });
			const resumed = await at(nodes[node], client).get(after);
			expect(await resumed.answer()).toMatchObject({ id, error: { code: -32000 } });
			await resumed.ended();
			// Nothing follows, and it is told so.
			expect((await client.get(resumed.lastEventId)).status).toBe(405);
		},
	);

	it('gets its response where only what was before it was pushed out', async () => {
		const { b, client, after, respond } = await openLost();
		await client.ask('say', { count: 10 });
		await respond();
		const resumed = await at(b, client).get(after);
		expect(textOf(await resumed.answer())).toBe('done');
		await resumed.ended();
	});

	it('is told that nothing follows the end that it has, however long ago that was', async () => {
		const { a, b, client, after, respond } = await openLost();
		await respond();
		const resumed = await client.get(after);
		await resumed.ended();
		await client.ask('say', { count: 10 });
		for (const node of [a, b]) expect((await at(node, client).get(resumed.lastEventId)).status).toBe(405);
	});
});
