import { InMemoryStreamSessionManager, type MaybePromise, SessionManagerError } from '@holdfast/session-manager';
import {
	endsStream,
	isSessionStream,
	type StreamAttachment,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
} from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { advance, NodeStreams, openBrokerNodes } from '../../../test/support/broker-nodes.ts';
import type { Received } from '../../../test/support/clients/wire-response.ts';
import { LateResumableStreams } from '../../../test/support/custom-managers.ts';
import { Happening, settle } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { at } from '../../../test/support/nodes.ts';
import { Rig, type RigOptions, textOf } from '../../../test/support/rig.ts';
import type { Tool } from '../../../test/support/servers.ts';
import { ToyBroker } from '../../session-manager-test-kit/test/toy-broker.ts';

/** Takes up request streams when, and if, it is told to. */
class GatedStreams extends NodeStreams {
	readonly asked = new Happening('a stream to take up');
	readonly outcome = new Happening<'succeeds' | 'fails'>('the outcome');

	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		if (!isSessionStream(id) && !id.startsWith(' ')) {
			this.asked.happen();
			if ((await this.outcome.wait()) === 'fails')
				throw new SessionManagerError('unavailable', 'The connection for subscriptions was lost.');
		}
		return super.create(id, controller, options);
	}
}

/** Takes the ends of streams, and never delivers them. */
class ForgetfulStreams extends StreamSessionManager {
	readonly #streams: InMemoryStreamSessionManager;
	forgets = true;

	constructor(clock: ManualClock) {
		super();
		this.#streams = new InMemoryStreamSessionManager({ clock });
	}

	override get resumable(): boolean {
		return true;
	}

	create(id: string, controller: StreamController, options?: StreamCreateOptions): MaybePromise<StreamAttachment> {
		return this.#streams.create(id, controller, options);
	}

	delete(id: string): void {
		this.#streams.delete(id);
	}

	has(id: string): boolean {
		return this.#streams.has(id);
	}

	send(ids: readonly string[] | undefined, data: string): void {
		if (!this.forgets || !endsStream(data)) this.#streams.send(ids, data);
	}
}

/** Streams behind a store that keeps no large event, and that replies to all that is sent in one turn at once. */
class BatchedStreams extends LateResumableStreams {
	#batch: (() => void)[] = [];

	override get maxEventBytes(): number {
		return 2_000;
	}

	override async send(ids: readonly string[] | undefined, data: string): Promise<void> {
		const done = new Promise<void>((resolve) => {
			this.#batch.push(() => {
				this.memory.send(ids, data);
				resolve();
			});
		});
		if (this.#batch.length === 1)
			setImmediate(() => {
				for (const take of this.#batch.splice(0)) take();
			});
		return done;
	}
}

/** What a tool sends without waiting: a notification, a large one, a large request, and its response. */
const orders = [
	'small LARGE done',
	'LARGE done',
	'LARGE small done',
	'small LARGE small done',
	'LARGE LARGE small DONE',
	'small LARGE DONE',
	'small REQUEST done',
	'small REQUEST small LARGE small done',
];

/** What was sent, in the words of {@link orders}. */
function wordOf({ method, params, result }: Received): string {
	if (method === 'sampling/createMessage') return 'REQUEST';
	return (result?.content[0].text ?? params.data).replace(/x+$/, '');
}

describe.each(doors)('the stream of a call, through $name,', (door) => {
	describe.each(['a broker', 'a store that replies at once'] as const)('over %s', (store) => {
		it.each(orders)('carries what is too large for the history in its place: %s', async (order) => {
			const words = order.split(' ');
			const large = (word: string) => (word === word.toUpperCase() ? word.padEnd(10_000, 'x') : word);
			const work: Tool = ({ here }) => {
				for (const word of words.slice(0, -1)) {
					const content = { type: 'text', text: large(word) };
					if (word === 'REQUEST') here.sample({ messages: [{ role: 'user', content }], maxTokens: 1 }).catch(() => {});
					else void here.log('info', large(word));
				}
				return large(words.at(-1) ?? '');
			};
			const options: RigOptions = { tools: { work }, responseMode: 'sse' };
			const rig =
				store === 'a broker'
					? (await openBrokerNodes(door, { ...options, history: { maxBytes: 2_000 } })).a.rig
					: await Rig.open(door, { ...options, sessionManager: { streams: new BatchedStreams() } });
			const client = await rig.session({ capabilities: { sampling: {} } });
			const stream = await client.call('work');
			await stream.ended();
			expect(stream.messages.map(({ message }) => wordOf(message))).toEqual(words);
			expect([stream.broken, rig.errors]).toEqual([false, []]);
		});
	});

	it.each(['succeeds', 'fails'] as const)(
		'that ends while the store takes it up carries all of it, once, in order (the store %s)',
		async (outcome) => {
			const clock = new ManualClock(1_000_000);
			const streams = new GatedStreams(new ToyBroker(), { clock });
			onTestFinished(() => streams.close());
			const rig = await Rig.open(door, {
				clock,
				sessionManager: { streams },
				tools: {
					async work({ here }) {
						// It does not wait until its client has been told.
						for (const n of [1, 2, 3]) void here.log('info', n);
						return 'done';
					},
				},
			});
			const client = await rig.session();
			const calling = client.call('work');
			await streams.asked.wait();
			await settle();
			streams.outcome.happen(outcome);
			const stream = await calling;
			expect(textOf(await stream.answer())).toBe('done');
			await stream.ended();
			expect(stream.broken).toBe(false);
			expect(stream.messages.map(({ message }) => message.params?.data ?? textOf(message))).toEqual([1, 2, 3, 'done']);
		},
	);

	it('whose end the manager takes and never delivers ends all the same, within five seconds', async () => {
		const clock = new ManualClock(1_000_000);
		const { arrived, go, tool } = gatedTool();
		const rig = await Rig.open(door, {
			clock,
			sessionManager: { streams: new ForgetfulStreams(clock) },
			tools: { hold: tool },
		});
		const client = await rig.session();
		const calling = client.call('hold');
		await (await arrived.wait()).here.log('info', 1);
		const stream = await calling;
		go.happen('at last');
		await eventually(() => rig.transport.stats().requestsInFlight).toBe(0);
		await settle();
		clock.advance(5_000);
		expect(textOf(await stream.answer())).toBe('at last');
		await stream.ended();
	});

	it.each(['is connected', 'has lost the connection'] as const)(
		'brings a response that is too large for the history to a client that %s, or an error',
		async (how) => {
			const { arrived, go, tool } = gatedTool();
			const { a, b } = await openBrokerNodes(door, { tools: { hold: tool }, history: { maxBytes: 2_000 } });
			const client = await a.rig.session();
			const calling = client.call('hold');
			await (await arrived.wait()).here.log('info', 1);
			const stream = await calling;
			await stream.message(0);
			const after = stream.lastEventId;
			// Nothing comes back from the store.
			a.streams.disconnect();
			go.happen('x'.repeat(10_000));
			expect(textOf(await stream.answer())).toBe('x'.repeat(10_000));
			await stream.ended();
			a.streams.reconnect();
			if (how === 'is connected') return;
			// It did not read all of it, and comes back, to whichever node.
			for (const node of [a, b]) {
				const resumed = await at(node.rig, client).get(after);
				expect(await resumed.answer()).toMatchObject({ id: client.lastRequestId, error: { code: -32000 } });
				await resumed.ended();
			}
		},
	);

	it('brings four large responses at once, though the store forgets them before it delivers', async () => {
		const arrivals = new Set<string>();
		const go = new Happening('the go-ahead');
		const { a } = await openBrokerNodes(door, {
			history: { maxBytes: 10_000 },
			tools: {
				async large({ here, args }) {
					await here.log('info', args['name']);
					arrivals.add(String(args['name']));
					await go.wait();
					return `${args['name']}${'x'.repeat(7_000)}`;
				},
			},
		});
		const client = await a.rig.session();
		const names = ['1', '2', '3', '4'];
		const streams = await Promise.all(names.map((name) => client.call('large', { name })));
		await eventually(() => arrivals.size).toBe(4);
		a.streams.disconnect();
		go.happen();
		await eventually(() => a.rig.transport.stats().requestsInFlight).toBe(0);
		await settle();
		a.streams.reconnect();
		const answers = await Promise.all(streams.map((stream) => stream.answer()));
		expect(answers.map((answer) => textOf(answer).slice(0, 1))).toEqual(names);
		for (const stream of streams) await stream.ended();
	});

	it.each(['close', 'drain'] as const)('is ended with an error by %s(), before its connection is', async (how) => {
		const { arrived, tool } = gatedTool();
		const { a } = await openBrokerNodes(door, { tools: { hold: tool } });
		const client = await a.rig.session();
		const calling = client.call('hold');
		await (await arrived.wait()).here.log('info', 1);
		const stream = await calling;
		await stream.message(0);
		// Nothing comes back from the store.
		a.streams.disconnect();
		if (how === 'drain') {
			const drained = a.rig.transport.drain({ delayMs: 0, timeoutMs: 1_000 });
			await advance(2_000, a);
			await drained;
		} else await a.rig.transport.close();
		expect(await stream.answer()).toMatchObject({ id: client.lastRequestId, error: { code: -32000 } });
		await stream.ended();
		expect(stream.broken).toBe(false);
	});
});
