import { type BrokerAttached, BrokerStreamSessionManager } from '@holdfast/session-manager/custom';
import { expect, it } from 'vitest';

const empty = { epoch: 'e', start: 0, events: [], gap: false };

/** A node's end of a broker: the test says when the store answers, and what the broker delivers. */
class Node extends BrokerStreamSessionManager {
	readonly #answers: ((attached: BrokerAttached) => void)[] = [];
	#offset = 0;

	/** Begins to open stream `s`. Returns what its client is written, and how that ends. */
	open(): { readonly texts: string[]; readonly opened: Promise<unknown> } {
		const texts: string[] = [];
		const enqueue = (chunk: Uint8Array) =>
			void texts.push(/^data: (.*)$/m.exec(new TextDecoder().decode(chunk))?.[1] ?? '');
		return { texts, opened: this.create('s', { enqueue, close: () => void texts.push('end'), desiredSize: 1 }) };
	}

	/** The store says to the one who asked first that it has taken the stream, and what its first event comes after. */
	async answer(order: number, start = 0): Promise<void> {
		await settled();
		this.#answers.shift()?.({ outcome: 'taken', order, own: { ...empty, start }, broadcasts: empty });
		await settled();
	}

	deliver(text: string): void {
		this.received('s', { type: 'event', offset: ++this.#offset, data: `data: ${text}\n\n` });
	}

	/** Somebody has taken the stream. */
	tell(order: number): void {
		this.received('s', { type: 'taken', order });
	}

	loseAndRegain(): void {
		this.interrupted();
		this.restored();
	}

	protected attach = () => new Promise<BrokerAttached>((resolve) => this.#answers.push(resolve));
	protected detach = () => undefined;
	protected append = () => [];
	protected appendBroadcast = () => undefined;
	protected readBroadcasts = () => empty;
	protected lastBroadcast = () => ({ epoch: 'e', offset: 0 });
	protected publish = () => undefined;
	protected forget = () => undefined;
	protected subscribe = () => undefined;
	protected unsubscribe = () => undefined;
	protected isHeard = () => true;
}

function settled(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

it('a holder ends when somebody takes its stream later, and not when it hears late of somebody before', async () => {
	await using node = new Node();
	const { texts } = node.open();
	await node.answer(5);
	node.tell(4);
	node.tell(5);
	node.deliver('own');
	expect(texts).toEqual(['own']);
	node.tell(6);
	node.deliver('of another');
	expect(texts).toEqual(['own', 'end']);
});

it('what a node hears before the store answers ends at a later takeover, and goes on after an earlier one', async () => {
	await using node = new Node();
	const { texts } = node.open();
	await settled();
	node.deliver('first');
	node.tell(3);
	node.tell(4);
	node.deliver('second');
	node.tell(6);
	node.tell(4);
	node.deliver('of another');
	await node.answer(5);
	expect(texts).toEqual(['first', 'second', 'end']);
});

it('a stream that is restored ends where it was taken meanwhile, whichever is heard of first', async () => {
	await using node = new Node();
	const { texts } = node.open();
	await node.answer(5);
	node.loseAndRegain();
	await settled();
	node.tell(7);
	node.deliver('of another');
	await node.answer(6);
	expect(texts).toEqual(['end']);
});

it('of two on one node the later one stays, whichever the store answers first', async () => {
	await using node = new Node();
	const [one, other] = [node.open(), node.open()];
	await settled();
	node.deliver('to the former');
	node.tell(6);
	node.deliver('to the later');
	await node.answer(6, 1);
	await node.answer(5);
	expect([one.texts, other.texts]).toEqual([['to the later'], ['to the former', 'end']]);
});

it('a store that does not say when a stream was taken is refused', async () => {
	await using node = new Node();
	const { opened } = node.open();
	const refused = expect(opened).rejects.toThrow('The order of a holder must be a safe integer, not undefined.');
	await node.answer(undefined as never);
	await refused;
});
