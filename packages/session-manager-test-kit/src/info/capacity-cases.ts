import assert from 'node:assert/strict';
import { codeOf } from '../code-of.js';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { sampleRecord } from '../sample-record.js';
import { until } from '../until.js';
import { assertUnknown, pages } from './unknown-session.js';

/** The capacity of the store. */
export const capacityCases: readonly ContractCase[] = [
	{
		id: 'info/store-full',
		promise: infoPromises.limits,
		title: 'a full store refuses a new session and keeps nothing of it, until another is removed',
		needs: ['info', 'capacity'],
		async run(context) {
			const [a, b] = await context.info(2, { maxSessions: 3 });
			const create = (id: string, given = {}) => codeOf(() => b.create(sampleRecord(id, given)));
			for (const id of ['s1', 's2', 's3']) assert.equal(await a.create(sampleRecord(id)), true);
			assert.equal(await create('one-too-many', { principal: 'alice' }), 'limit');
			await assertUnknown(a, 'one-too-many');
			assert.deepEqual(await a.sessionsOf('alice'), []);
			assert.equal(await create('s1'), false);
			await a.delete('s1');
			assert.equal(await create('s4'), true);
			await a.end('s2', Date.now(), 'done');
			assert.equal(await create('brief', { lastUsedAt: Date.now(), idleTtlMs: 50 }), true);
			await until('a session that expired makes room', async () => (await create('s5')) === true);
			assert.deepEqual((await pages(a, 10)).flat().sort(), ['s3', 's4', 's5']);
		},
	},
	{
		id: 'info/store-full-race',
		promise: infoPromises.limits,
		title: 'of 20 sessions created at once, as many succeed as the store has room for',
		needs: ['info', 'capacity'],
		async run(context) {
			const [a, b] = await context.info(2, { maxSessions: 5 });
			const results = await Promise.all(
				Array.from({ length: 20 }, (_, n) => codeOf(() => (n % 2 === 0 ? a : b).create(sampleRecord(`s${n}`)))),
			);
			assert.equal(results.filter((result) => result === true).length, 5);
			assert.equal(results.filter((result) => result === 'limit').length, 15);
			assert.equal((await pages(a, 10)).flat().length, 5);
		},
	},
];
