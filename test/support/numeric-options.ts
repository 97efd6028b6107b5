import assert from 'node:assert/strict';
import { END_OF_STREAM, type InfoSessionManager, type StreamSessionManager } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { describe, it } from 'vitest';
import { until } from './until.ts';

/** The managers of one node. */
export interface NumericNode {
	readonly streams: StreamSessionManager;
	readonly info: InfoSessionManager;
}

/** The numbers that every pair of managers takes. */
export const NUMBERS = ['history.maxEvents', 'history.maxBytes', 'history.maxAgeMs', 'maxBufferedBytes', 'maxSessions'];

const values = [0, -0, 60_000 / 7, 1e6, Number.MAX_VALUE, Number.POSITIVE_INFINITY, undefined];

/** Time that does not pass, except in a test. It throws where its tasks set others without end. */
class CountedClock extends ManualClock {
	#tasks = 0;

	override after(delayMs: number, task: () => void): () => void {
		return super.after(delayMs, () => {
			if (++this.#tasks > 200) throw new Error('This is done again and again.');
			task();
		});
	}

	/** Returns how many tasks there are in ten seconds. */
	tasks(): number {
		this.#tasks = 0;
		this.advance(10_000);
		return this.#tasks;
	}
}

/**
 * No number is taken and then breaks something: each value of each option of `names` is refused when a manager is made,
 * or all that needs no history works. `make` makes a node with options; all of them share a store.
 */
export function describeNumericOptions(
	names: readonly string[],
	make: (options: Record<string, unknown>) => NumericNode,
	peers: 1 | 2 = 2,
): void {
	describe.each(names)('the option %s', (name) => {
		it.each(values)('is refused, or works: %s', async (value) => {
			const [group, member] = name.split('.');
			const given = { [group ?? '']: member === undefined ? value : { [member]: value } };
			const clock = new CountedClock(Date.now());
			const nodes: NumericNode[] = [];
			const errors: Error[] = [];
			try {
				for (let peer = 0; peer < peers; peer++) nodes.push(make({ ...given, clock }));
			} catch (error) {
				assert.ok(error instanceof TypeError && value !== undefined && value !== 0);
				assert.ok(error.message.includes(`: ${name} must be a`), error.message);
				return;
			}
			for (const { streams, info } of nodes) {
				streams.onerror = (error) => errors.push(error);
				info.onerror = (error) => errors.push(error);
			}
			await useStreams(nodes, clock);
			await useInfo(nodes, clock);
			for (const { streams, info } of nodes) {
				await streams.close();
				await info.close();
			}
			assert.deepEqual(errors, []);
		});
	});
}

async function useStreams(nodes: readonly NumericNode[], clock: CountedClock): Promise<void> {
	const [a, b] = [nodes[0]?.streams ?? assert.fail(), nodes.at(-1)?.streams ?? assert.fail()];
	const clients = [];
	// The newest wins, on another node and on the same one.
	for (const node of [a, b, b, a]) {
		const before = clients.at(-1);
		const client = await open(node, 's', { prime: sse('prime') });
		await before?.end();
		await b.send(['s'], sse(`own ${clients.length}`));
		await client.hears(`own ${clients.length}`);
		await a.send(undefined, sse(`all ${clients.length}`));
		await client.hears(`all ${clients.length}`);
		assert.equal(client.texts.filter((text) => !['prime', ...client.texts.slice(-2)].includes(text)).length, 0);
		clients.push(client);
	}
	await a.expireIn('s', 60_000);
	const request = await open(b, 's request');
	await b.send(['s request'], sse('progress'));
	await b.send(['s request'], `data: done\n${END_OF_STREAM}\n\n`);
	assert.deepEqual(await request.end(), ['progress', 'done']);
	assert.ok(clock.tasks() < 150);
	assert.equal(await b.has('s'), true);
	clients.at(-1)?.leave();
	await until('the stream is free', async () => !(await b.has('s')));
	const back = await open(a, 's', { lastEventId: clients.at(-1)?.received.at(-1)?.id ?? '' });
	await b.send(['s'], sse('again'));
	await back.hears('again');
	assert.equal(typeof (await a.position()), 'string');
	await b.delete('s');
	await back.end();
}

async function useInfo(nodes: readonly NumericNode[], clock: CountedClock): Promise<void> {
	const [a, b] = [nodes[0]?.info ?? assert.fail(), nodes.at(-1)?.info ?? assert.fail()];
	const times = { createdAt: clock.now(), lastUsedAt: clock.now(), idleTtlMs: 60_000, principal: 'alice' };
	assert.equal(await a.create(sampleRecord('s', times), { perPrincipal: Number.POSITIVE_INFINITY }), true);
	assert.equal(await b.touch('s', clock.now() + 1), true);
	assert.equal(await b.addSubscription('s', 'file:///a'), true);
	assert.deepEqual(await a.getSubscriptions('file:///a'), ['s']);
	assert.equal((await b.read('s'))?.id, 's');
	assert.ok(clock.tasks() < 150);
	assert.equal(await a.delete('s'), true);
	assert.equal(await b.read('s'), undefined);
}
