import assert from 'node:assert/strict';
import type { BrokerAttached, BrokerPosition, StreamPosition } from '@holdfast/session-manager/custom';
import { StreamClient, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { it } from 'vitest';
import { ToyBroker } from './toy-broker.ts';
import { ToyBrokerManager } from './toy-broker-manager.ts';

/** A manager whose broker's replies come later than its news, as they may on a connection of their own. */
class LateRepliesManager extends ToyBrokerManager {
	/** Lets the replies so far through, in the order of the calls. */
	readonly replies: (() => void)[] = [];

	protected override async attach(
		id: string,
		token: string,
		after: Partial<BrokerPosition>,
		keep: boolean,
		since?: StreamPosition,
	): Promise<BrokerAttached> {
		const attached = await super.attach(id, token, after, keep, since);
		await new Promise<void>((resolve) => this.replies.push(resolve));
		return attached;
	}

	async untilAttached(count: number): Promise<void> {
		while (this.replies.length < count) await new Promise((resolve) => setImmediate(resolve));
	}
}

it('a holder that is taken over before it hears that it has the stream gets what was its own, and then the end', async () => {
	const broker = new ToyBroker();
	await using a = new LateRepliesManager(broker);
	await using b = new ToyBrokerManager(broker);
	const [first, second] = [new StreamClient(), new StreamClient()];
	const opened = [a.create('s', first)];
	await a.untilAttached(1);
	await b.send(['s'], sse('for the first'));
	await b.send(undefined, sse('for the first, too'));
	opened.push(a.create('s', second));
	await a.untilAttached(2);
	await b.send(['s'], sse('for the second'));
	for (const reply of a.replies) reply();
	await Promise.all(opened);
	await second.hears('for the second');
	assert.deepEqual(first.texts, ['for the first', 'for the first, too']);
	assert.equal(first.ended, true);
	assert.deepEqual(second.texts, ['for the second']);
	assert.equal(second.ended, false);
});
