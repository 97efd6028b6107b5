import assert from 'node:assert/strict';
import type { BrokerAttached, BrokerPosition, StreamPosition } from '@holdfast/session-manager/custom';
import { after, open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { describe, it } from 'vitest';
import { ToyBroker } from './toy-broker.ts';
import { ToyBrokerManager } from './toy-broker-manager.ts';

/** A manager whose broker names its epoch. */
class NamedEpoch extends ToyBrokerManager {
	readonly #epoch: string;

	constructor(broker: ToyBroker, epoch: string) {
		super(broker);
		this.#epoch = epoch;
	}

	protected override async attach(
		...[id, token, { own, broadcasts }, keep, since]: [
			string,
			string,
			Partial<BrokerPosition>,
			boolean,
			StreamPosition?,
		]
	): Promise<BrokerAttached> {
		assert.ok([own, broadcasts].every((position) => position === undefined || position.epoch === this.#epoch));
		const attached = await super.attach(id, token, {}, keep, since);
		const epoch = this.#epoch;
		return { ...attached, own: { ...attached.own, epoch }, broadcasts: { ...attached.broadcasts, epoch } };
	}
}

describe('an epoch', () => {
	it.each(['0', 'a1b2', 'Ab1', 'X'.repeat(32)])('of letters and digits comes back to the broker: %s', async (epoch) => {
		await using manager = new NamedEpoch(new ToyBroker(), epoch);
		const client = await open(manager, 's', { prime: sse('prime') });
		assert.equal((await open(manager, 's', after(client))).continuation, 'resumed');
	});

	it.each(['', 'a-b', 'a_b', 'a b', 'ä', 'x'.repeat(33)])(
		'of any other form is refused, with a sentence: %j',
		async (epoch) => {
			await using manager = new NamedEpoch(new ToyBroker(), epoch);
			await assert.rejects(open(manager, 's'), {
				name: 'TypeError',
				message: `An epoch must be 1 to 32 letters and digits, not ${JSON.stringify(epoch)}.`,
			});
		},
	);
});
