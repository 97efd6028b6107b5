import assert from 'node:assert/strict';
import { SessionManagerError, type StreamSessionManager } from '@holdfast/session-manager';
import { type StreamClient, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { until } from './until.ts';

/** A message that a manager refused. */
interface Refusal {
	readonly text: string;
	readonly error: unknown;
	readonly afterMs: number;
}

/** Someone who sends numbered messages to a stream without end, and knows which of them must arrive. */
export class Writer {
	readonly taken: string[] = [];
	readonly refused: Refusal[] = [];
	readonly #send: (data: string) => unknown;
	readonly #label: string;
	#count = 0;
	#running: Promise<void> | undefined;
	#stopped = false;

	/** `ids` as `send` takes them; `label` tells the messages from those of another writer. */
	constructor(manager: StreamSessionManager, ids: readonly string[] | undefined, label = '') {
		this.#label = label;
		this.#send = (data) => manager.send(ids, data);
		this.#running = this.#run();
	}

	/** Waits until `count` more messages are taken. */
	async takes(count: number, deadlineMs = 15_000): Promise<void> {
		const wanted = this.taken.length + count;
		await until(`${count} more messages are taken`, () => this.taken.length >= wanted, deadlineMs);
	}

	/** Waits until a message is refused from now on. */
	async isRefused(): Promise<void> {
		const wanted = this.refused.length + 1;
		await until('a message is refused', () => this.refused.length >= wanted);
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		await this.#running;
	}

	/** Everything that was refused was so for want of the store, and within a second. */
	assertRefusals(): void {
		for (const { error, afterMs } of this.refused) {
			assert.ok(error instanceof SessionManagerError && error.code === 'unavailable', String(error));
			assert.ok(afterMs < 1_000, `A message was refused only after ${afterMs} ms.`);
		}
	}

	/**
	 * What is ours among `texts` is in order, without doubles, and holds nothing but what was sent; answers what is
	 * missing of what was taken.
	 */
	missingIn(texts: readonly string[]): string[] {
		const received = texts.filter((text) => /^\D*/.exec(text)?.[0] === this.#label);
		const numbers = received.map((text) => Number(text.slice(this.#label.length)));
		for (const [index, number] of numbers.entries()) {
			assert.ok(index === 0 || number > (numbers[index - 1] ?? 0), `${number} comes after ${numbers[index - 1]}.`);
		}
		const sent = new Set([...this.taken, ...this.refused.map(({ text }) => text)]);
		assert.deepEqual(
			received.filter((text) => !sent.has(text)),
			[],
		);
		const there = new Set(received);
		return this.taken.filter((text) => !there.has(text));
	}

	/** Waits until `client` has the last message that was taken, and demands that it has every one, once and in order. */
	async assertArrived(client: StreamClient): Promise<void> {
		await client.hears(this.taken.at(-1) ?? '');
		assert.deepEqual(this.missingIn(client.texts), []);
	}

	async #run(): Promise<void> {
		while (!this.#stopped) {
			const text = this.#label + ++this.#count;
			const begin = performance.now();
			try {
				await this.#send(sse(text));
				this.taken.push(text);
			} catch (error) {
				this.refused.push({ text, error, afterMs: performance.now() - begin });
			}
			await new Promise((resolve) => setTimeout(resolve, 8));
		}
	}
}
