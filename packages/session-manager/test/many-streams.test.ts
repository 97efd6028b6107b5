import {
	BROADCAST_CHANNEL,
	type BrokerEvent,
	type BrokerPosition,
	BrokerStreamSessionManager,
} from '@holdfast/session-manager/custom';
import { expect, it } from 'vitest';

const MANY = 2_000;
const everyone = Array.from({ length: MANY }, (_, n) => `s${n}`);

/** A node's end of a broker: the test says what the broker delivers, and when it is lost. */
class Node extends BrokerStreamSessionManager {
	/** What each client was written. */
	readonly texts = new Map<string, string[]>();
	writes = 0;
	/** The broadcasts that the store has. */
	readonly kept: BrokerEvent[] = [];
	readonly left: (readonly [id: string, position: BrokerPosition])[] = [];
	#offset = 0;

	/** Opens stream `id`. Returns what lets go of it. */
	async open(id: string): Promise<() => void> {
		const texts: string[] = [];
		this.texts.set(id, texts);
		const enqueue = (chunk: Uint8Array) => {
			this.writes++;
			texts.push(/^data: (.*)$/m.exec(new TextDecoder().decode(chunk))?.[1] ?? '');
		};
		return (await this.create(id, { enqueue, close() {}, desiredSize: 1 })).detach;
	}

	/** The broker delivers an event to one stream, or to all. */
	deliver(text: string, id = BROADCAST_CHANNEL): void {
		const event = { type: 'event' as const, offset: ++this.#offset, data: `data: ${text}\n\n` };
		if (id === BROADCAST_CHANNEL) this.kept.push(event);
		this.received(id, event);
	}

	lose(): void {
		this.interrupted();
	}

	regain(): void {
		this.restored();
	}

	/** Whether every client has been written as much as `count`. */
	hasAll(count: number): boolean {
		return [...this.texts.values()].every((texts) => texts.length >= count);
	}

	protected attach = () => {
		const slice = { epoch: 'e', start: 0, events: [], gap: false };
		return { outcome: 'taken' as const, order: 1, own: slice, broadcasts: slice };
	};
	protected detach = (id: string, _token: string, position: BrokerPosition) => void this.left.push([id, position]);
	protected readBroadcasts = () => ({ epoch: 'e', start: 0, events: this.kept, gap: false });
	protected append = () => [];
	protected appendBroadcast = () => undefined;
	protected forget = () => undefined;
	protected lastBroadcast = () => ({ epoch: 'e', offset: 0 });
	protected publish = () => undefined;
	protected subscribe = () => undefined;
	protected unsubscribe = () => undefined;
	protected isHeard = () => true;
}

async function openAll(): Promise<Node> {
	const node = new Node();
	for (const id of everyone) await node.open(id);
	return node;
}

/** Lets turns go by until every client has been written `count` events. Returns the most that one turn wrote. */
async function mostUntil(node: Node, count: number): Promise<number> {
	let most = node.writes;
	for (let turn = 0; !node.hasAll(count) && turn < MANY; turn++) {
		const before = node.writes;
		await new Promise((resolve) => setImmediate(resolve));
		most = Math.max(most, node.writes - before);
	}
	return most;
}

it('a node gives a broadcast to a part of its streams in each turn, and to each once', async () => {
	const node = await openAll();
	node.deliver('to all');
	expect(await mostUntil(node, 1)).toBeLessThanOrEqual(1_024);
	for (const texts of node.texts.values()) expect(texts).toEqual(['to all']);
});

it('a stream gets what the broker delivers in its order, whatever is still to be given to others', async () => {
	const node = await openAll();
	node.deliver('first to all');
	node.deliver('second to all');
	node.deliver('own', 's1999');
	expect(node.texts.get('s1999')).toEqual(['first to all', 'second to all', 'own']);
	node.deliver('third to all');
	await mostUntil(node, 3);
	for (const [id, texts] of node.texts) {
		const own = id === 's1999' ? ['own'] : [];
		expect(texts).toEqual(['first to all', 'second to all', ...own, 'third to all']);
	}
});

it('a client that leaves before a broadcast reached it has not got it, so that it is kept for its return', async () => {
	const node = await openAll();
	const detach = await node.open('leaving');
	node.deliver('to all');
	detach();
	const leaving = node.texts.get('leaving');
	node.texts.delete('leaving');
	await mostUntil(node, 1);
	expect(leaving).toEqual([]);
	expect(node.left).toEqual([['leaving', { own: { epoch: 'e', offset: 0 }, broadcasts: { epoch: 'e', offset: 0 } }]]);
});

it('a broadcast that has not reached all when the broker is lost is read from history, once', async () => {
	const node = await openAll();
	node.deliver('to all');
	node.lose();
	node.regain();
	await mostUntil(node, 1);
	for (const texts of node.texts.values()) expect(texts).toEqual(['to all']);
});

it('a broker that delivers more than all streams are given waits, instead of what it delivers', async () => {
	const node = await openAll();
	const texts = Array.from({ length: 100 }, (_, n) => `${n}`);
	for (const text of texts) node.deliver(text);
	expect(node.writes).toBeGreaterThanOrEqual((texts.length - 65) * MANY);
	await mostUntil(node, texts.length);
	for (const id of ['s0', 's1023', 's1999']) expect(node.texts.get(id)).toEqual(texts);
	expect(node.writes).toBe(texts.length * MANY);
});
