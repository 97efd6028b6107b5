import { InMemoryInfoSessionManager, InMemoryStreamSessionManager, type MaybePromise } from '@holdfast/session-manager';
import {
	SessionManagerError,
	type StreamAttachment,
	type StreamController,
	type StreamCreateOptions,
	StreamSessionManager,
} from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { gatedTool } from '../../../test/support/gated-tool.ts';
import { until } from '../../../test/support/until.ts';
import { SseRig } from './support/sse-rig.ts';

/** How a store fails to say that it took an event. */
type Failing = 'took it' | 'did not take it' | undefined;

/** One node's way to streams that all nodes share. It fails when it is told to, like a connection that breaks. */
class BrokenWay extends StreamSessionManager {
	failing: Failing;
	/** How many events it failed to say that it took. */
	refused = 0;
	readonly #streams: InMemoryStreamSessionManager;

	constructor(streams: InMemoryStreamSessionManager) {
		super();
		this.#streams = streams;
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

	async send(ids: readonly string[] | undefined, data: string): Promise<void> {
		if (this.failing !== 'did not take it') this.#streams.send(ids, data);
		if (this.failing === undefined) return;
		this.refused++;
		throw new SessionManagerError('unavailable', 'The store is away.');
	}
}

describe.each(doors)('a response of which nobody knows whether the store took it, through $name,', (door) => {
	async function open() {
		const clock = new ManualClock(1_000_000);
		const memory = new InMemoryStreamSessionManager({ clock });
		const info = new InMemoryInfoSessionManager({ clock });
		const ways = [new BrokenWay(memory), new BrokenWay(memory)] as const;
		const gates = [gatedTool(), gatedTool()] as const;
		const tools = { first: gates[0].tool, second: gates[1].tool };
		const openNode = (streams: BrokenWay) => SseRig.open(door, { clock, tools, sessionManager: { streams, info } });
		const [a, b] = [await openNode(ways[0]), await openNode(ways[1])];
		const client = await a.session();
		return { a, b, ways, gates, client, onB: client.at(b) };
	}

	const answers = (messages: readonly { id?: unknown; method?: string }[]) =>
		messages.flatMap(({ id, method }) => (method === undefined ? [id] : []));

	it.each(['took it', 'did not take it'] as const)(
		'on the node that holds the stream, comes once (it %s)',
		async (how) => {
			const { ways, client, a } = await open();
			ways[0].failing = how;
			const ids = [await client.call('echo', { text: '1' }), await client.call('echo', { text: '2' })];
			for (const id of ids) await client.answerTo(id);
			ways[0].failing = undefined;
			await a.advance(60_000);
			expect(await client.ask('echo', { text: 'x' })).toBe('x');
			expect(answers(client.messages)).toEqual(['init', ...ids, client.lastId]);
		},
	);

	it.each(['took it', 'did not take it'] as const)(
		'on another node, comes once, and all in order (it %s)',
		async (how) => {
			const { ways, gates, client, onB, a } = await open();
			const ids = [await onB.call('first'), await onB.call('second')];
			for (const { arrived } of gates) await arrived.wait();
			ways[1].failing = how;
			for (const { go } of gates) {
				go.happen('done');
				await until('the store was asked', () => ways[1].refused > 0);
				ways[1].refused = 0;
			}
			// It is tried again while the store is away.
			await a.advance(3_000);
			ways[1].failing = undefined;
			const last = await onB.call('echo', { text: '3' });
			await onB.answerTo(last);
			await eventually(async () => {
				await a.advance(1_000);
				return answers(client.messages).length;
			}).toBe(4);
			await a.advance(60_000);
			expect(await client.ask('echo', { text: 'x' })).toBe('x');
			expect(answers(client.messages).slice(0, 4).toSorted()).toEqual([...ids, last, 'init']);
			expect(answers(client.messages)).toHaveLength(5);
			const positions = ids.map((id) => answers(client.messages).indexOf(id));
			expect(positions[0]).toBeLessThan(positions[1] ?? 0);
		},
	);

	it('to `initialize` opens the stream for what comes after it, also when it is late', async () => {
		const { a, b, ways } = await open();
		const client = await a.open();
		const initialized = client.at(b);
		ways[1].failing = 'did not take it';
		const answer = initialized.initialize();
		await eventually(() => b.errors.length).toBeGreaterThan(0);
		ways[1].failing = undefined;
		await a.advance(1_000);
		expect((await answer).result).toBeDefined();
		await a.transport.notify.toolsChanged();
		await client.find(({ method }) => method === 'notifications/tools/list_changed');
	});
});
