import assert from 'node:assert/strict';
import { SessionManagerError } from '@holdfast/session-manager/custom';
import { open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { describe, it } from 'vitest';
import { ToyBroker } from './toy-broker.ts';
import { ToyBrokerManager } from './toy-broker-manager.ts';

/** A manager that may not hear what its broker tells, and loses replies. */
class DeafManager extends ToyBrokerManager {
	isDeaf = false;
	losesReplies = false;

	protected override received(...message: Parameters<ToyBrokerManager['received']>): void {
		if (!this.isDeaf) super.received(...message);
	}

	protected override async attach(...values: Parameters<ToyBrokerManager['attach']>) {
		const attached = await super.attach(...values);
		if (this.losesReplies) throw new SessionManagerError('unavailable', 'The reply is late.');
		return attached;
	}
}

describe('a client without a last event id', () => {
	it('learns of what was given to one that never learned that it had the stream', async () => {
		const broker = new ToyBroker();
		await using a = new DeafManager(broker);
		await a.send(['s', 's 1'], sse(1));
		a.losesReplies = true;
		for (const id of ['s', 's 1']) await assert.rejects(open(a, id), { code: 'unavailable' });
		a.losesReplies = false;
		for (const id of ['s', 's 1']) assert.equal((await open(a, id)).continuation, 'gap');
	});

	it('learns of broadcasts that were given so, and of none where there was none', async () => {
		const broker = new ToyBroker();
		await using a = new DeafManager(broker);
		const since = await a.position();
		for (const sends of [false, true]) {
			const id = sends ? 'told' : 'idle';
			if (sends) await a.send(undefined, sse(1));
			a.losesReplies = true;
			await assert.rejects(open(a, id, { since }), { code: 'unavailable' });
			a.losesReplies = false;
			assert.equal((await open(a, id, { since })).continuation, sends ? 'gap' : 'fresh');
		}
	});

	it('gets what its node had not heard yet for the one before, and ends that one', async () => {
		const broker = new ToyBroker();
		await using a = new DeafManager(broker);
		await using b = new ToyBrokerManager(broker);
		for (const id of ['s', 's 1']) {
			const old = await open(a, id);
			await b.send([id], sse(1));
			await old.hears(1);
			a.isDeaf = true;
			await b.send([id], sse(2));
			if (id === 's') await b.send(undefined, sse(3));
			const newest = await open(a, id);
			a.isDeaf = false;
			assert.equal(newest.continuation, 'fresh');
			await b.send([id], sse(4));
			assert.deepEqual(await newest.hears(4), id === 's' ? ['2', '3', '4'] : ['2', '4']);
			assert.deepEqual([old.texts, old.ended], [['1'], true]);
		}
	});

	it('is written nothing that another node delivered since then', async () => {
		const broker = new ToyBroker();
		await using a = new DeafManager(broker);
		await using b = new ToyBrokerManager(broker);
		for (const leaves of [false, true]) {
			const id = leaves ? 'left' : 'held';
			const old = await open(a, id);
			a.isDeaf = true;
			const between = await open(b, id);
			await b.send([id], sse(1));
			await between.hears(1);
			if (leaves) between.leave();
			const newest = await open(a, id);
			a.isDeaf = false;
			assert.equal(newest.continuation, leaves ? 'fresh' : 'gap');
			await b.send([id], sse(2));
			assert.deepEqual(await newest.hears(2), ['2']);
			assert.deepEqual(
				old.texts.filter((text) => text === '1'),
				[],
			);
		}
	});

	it('ends the one before on its node where the store forgot that there was one, and learns of it', async () => {
		const broker = new ToyBroker();
		await using a = new ToyBrokerManager(broker);
		const old = await open(a, 's');
		await a.send(['s'], sse(1));
		await old.hears(1);
		broker.forget();
		const newest = await open(a, 's');
		assert.deepEqual([newest.continuation, old.ended], ['gap', true]);
		await a.send(['s'], sse(2));
		await newest.hears(2);
		assert.deepEqual(old.texts, ['1']);
	});

	it('leaves the one before where it cannot take the stream', async () => {
		const broker = new ToyBroker();
		await using a = new ToyBrokerManager(broker);
		const old = await open(a, 's');
		a.away = true;
		await assert.rejects(open(a, 's'), { code: 'unavailable' });
		a.away = false;
		await a.send(['s'], sse(1));
		assert.deepEqual(await old.hears(1), ['1']);
		assert.equal(old.ended, false);
	});
});
