import assert from 'node:assert/strict';
import { type InfoSessionManager, SessionState, type StateValue } from '@holdfast/session-manager';
import { codeOf } from '../code-of.js';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { sampleRecord } from '../sample-record.js';

/** Values of state, on any peer. */
export const stateCases: readonly ContractCase[] = [
	{
		id: 'state/read',
		promise: infoPromises.value,
		title: 'a value written on one peer is read on another, and `undefined` when none was written',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			assert.equal(await b.readState('s', 'k'), undefined);
			assert.equal(await a.writeState('s', 'k', undefined, 's1'), true);
			for (const info of [a, b]) assert.equal((await info.readState('s', 'k'))?.value, 's1');
			assert.equal(await b.readState('s', 'other'), undefined);
		},
	},
	{
		id: 'state/write-expected',
		promise: infoPromises.writeState,
		title: 'a value is written only over the expected version',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			assert.equal(await a.writeState('s', 'k', 'no such version', 's1'), false);
			assert.equal(await a.writeState('s', 'k', undefined, 's1'), true);
			assert.equal(await b.writeState('s', 'k', undefined, 's2'), false);
			const first = await b.readState('s', 'k');
			assert.equal(first?.value, 's1');
			assert.equal(await b.writeState('s', 'k', first?.version, 's2'), true);
			assert.equal(await a.writeState('s', 'k', first?.version, 's3'), false);
			assert.equal((await a.readState('s', 'k'))?.value, 's2');
			assert.equal(await a.writeState('s', 'k', '*', 's4'), true);
			assert.equal((await b.readState('s', 'k'))?.value, 's4');
		},
	},
	{
		id: 'state/remove-expected',
		promise: infoPromises.writeState,
		title: 'a value is removed only at the expected version',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			await a.writeState('s', 'k', undefined, 's1');
			const version = (await b.readState('s', 'k'))?.version;
			assert.equal(await b.writeState('s', 'k', undefined, undefined), false);
			await a.writeState('s', 'k', '*', 's2');
			assert.equal(await b.writeState('s', 'k', version, undefined), false);
			assert.equal(await b.writeState('s', 'k', (await a.readState('s', 'k'))?.version, undefined), true);
			assert.equal(await a.readState('s', 'k'), undefined);
			assert.equal(await a.writeState('s', 'k', '*', undefined), true);
			assert.equal(await a.writeState('s', 'k', undefined, undefined), true);
		},
	},
	{
		id: 'state/versions',
		promise: infoPromises.version,
		title: 'a value never has a version that it had before, not even after it was removed',
		needs: ['info'],
		async run(context) {
			const peers = await context.info();
			await peers[0].create(sampleRecord('s'));
			const versions = new Set<string | undefined>();
			for (let round = 0; round < 10; round++) {
				const info = peers[round % 2] ?? peers[0];
				for (const value of ['s1', 's1', 's2']) {
					await info.writeState('s', 'k', '*', value);
					versions.add((await info.readState('s', 'k'))?.version);
				}
				await info.writeState('s', 'k', '*', undefined);
			}
			assert.equal(versions.size, 30);
		},
	},
	{
		id: 'state/hostile-keys',
		promise: infoPromises.exact,
		title: 'a value is apart from other keys and other sessions, and comes back as it was written',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			for (const id of ['a', 'b']) await a.create(sampleRecord(id));
			const keys = ['k', 'K', 'k:1', '__proto__', 'constructor', '*', '\0', 'a\nb', 'ä€😀', ' ', 'x'.repeat(1024)];
			for (const key of keys) assert.equal(await a.writeState('a', key, undefined, `s${key}:${key}`), true);
			await a.writeState('b', 'k', undefined, 'sof b');
			for (const key of keys) assert.equal((await b.readState('a', key))?.value, `s${key}:${key}`);
			assert.equal((await b.readState('b', 'k'))?.value, 'sof b');
			assert.equal(await b.readState('b', 'K'), undefined);
			const listed = [...(await b.listState('a'))].map(([key, { value }]) => [key, value]);
			assert.deepEqual(listed.sort(), keys.map((key) => [key, `s${key}:${key}`]).sort());
		},
	},
	{
		id: 'state/list',
		promise: infoPromises.listState,
		title: 'a list of values stays as it was, whatever is written later',
		needs: ['info'],
		async run(context) {
			const [a] = await context.info();
			await a.create(sampleRecord('s'));
			await a.writeState('s', 'k', undefined, 's1');
			const listed = await a.listState('s');
			await a.writeState('s', 'k', '*', 's2');
			await a.writeState('s', 'l', undefined, 's3');
			assert.deepEqual(
				[...listed].map(([key, { value }]) => [key, value]),
				[['k', 's1']],
			);
		},
	},
	{
		id: 'state/increments',
		promise: infoPromises.noLostChange,
		title: '1,000 increments by two peers at once lose nothing',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			const [left, right] = [new SessionState(a, 's'), new SessionState(b, 's')];
			// More concurrent writers than any real session has would only measure how they wait for each other.
			const writer = async (state: SessionState) => {
				for (let n = 0; n < 125; n++) await state.increment('count');
			};
			await Promise.all([left, right, left, right, left, right, left, right].map(writer));
			assert.equal(await left.get('count'), 1_000);
			assert.equal(await right.get('count'), 1_000);
		},
	},
	{
		id: 'state/write-race',
		promise: infoPromises.atomic,
		title: 'of 20 concurrent writes over the same version, one succeeds',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			for (let round = 0; round < 10; round++) {
				const version = (await a.readState('s', 'k'))?.version;
				const written = await Promise.all(
					Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? a : b).writeState('s', 'k', version, `s${n}`)),
				);
				assert.equal(written.filter(Boolean).length, 1);
				assert.equal((await b.readState('s', 'k'))?.value, `s${written.indexOf(true)}`);
			}
		},
	},
	{
		id: 'state/types',
		promise: infoPromises.valueTypes,
		title: 'strings, numbers, bigints, booleans, bytes and JSON come back on another peer as they were written',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			const [writes, reads] = [new SessionState(a, 's'), new SessionState(b, 's')];
			const values: [name: string, value: StateValue][] = [
				...['', ' ', 'text', '0', 'null', 'ä€😀\u2028', 'a\0b', '\ud800', '\r\n\t"\'\\'].map(named),
				...[0, -0, 1.5, -1e-300, 2 ** 53, Number.MAX_VALUE, Number.NaN, Number.NEGATIVE_INFINITY].map(named),
				...[0n, -1n, 2n ** 200n].map(named),
				...[true, false, null, [], {}, [1, [null, 'ä']], { a: { b: [true, 1.5] }, __proto__x: '' }].map(named),
				...[new Uint8Array(), Uint8Array.from({ length: 256 }, (_, byte) => byte)].map(named),
			];
			for (const [name, value] of values) await writes.set(name, value);
			for (const [name, value] of values) assert.deepEqual(await reads.get(name), value);
			assert.equal((await reads.entries()).length, values.length);
		},
	},
	{
		id: 'state/largest',
		promise: infoPromises.storedValue,
		title: 'the longest key and the largest value come back whole on another peer',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			const key = 'ä'.repeat(512);
			const value = `s${'ä'.repeat(512 * 1024)}`;
			assert.equal(await a.writeState('s', key, undefined, value), true);
			assert.equal((await b.readState('s', key))?.value === value, true);
			assert.deepEqual([...(await b.listState('s')).keys()], [key]);
		},
	},
	{
		id: 'state/limit',
		promise: infoPromises.stateLimit,
		title: 'the state of a session can grow to its limit and not a byte beyond',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			await a.create(sampleRecord('other'));
			const mebibyte = 1024 * 1024;
			const write = (info: InfoSessionManager, key: string, bytes: number, expected: string | undefined = '*') =>
				codeOf(() => info.writeState('s', key, expected, `s${'x'.repeat(bytes - key.length - 1)}`));
			for (let n = 0; n < 9; n++) assert.equal(await write(a, `k${n}`, mebibyte, undefined), true);
			assert.equal(await write(b, 'last', mebibyte + 1), 'limit');
			assert.equal(await b.readState('s', 'last'), undefined);
			assert.equal(await write(b, 'last', mebibyte, undefined), true);
			assert.equal(await write(a, 'k0', mebibyte + 1), 'limit');
			assert.equal(await write(a, 'k0', mebibyte, (await a.readState('s', 'k0'))?.version), true);
			assert.equal(await write(a, 'one', 5), 'limit');
			assert.equal(await a.writeState('other', 'one', undefined, 's1'), true);
			assert.equal(await b.writeState('s', 'k1', '*', undefined), true);
			assert.equal(await b.writeState('s', 'k1', '*', undefined), true);
			assert.equal(await write(a, 'k1', mebibyte + 1), 'limit');
			assert.equal(await write(a, 'ä', mebibyte), 'limit');
			assert.equal(await write(a, 'ä', mebibyte - 1), true);
		},
	},
	{
		id: 'state/computed-once',
		promise: infoPromises.computedOnce,
		title: 'two peers that compute a value at the same time get the same one',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			const states = [new SessionState(a, 's'), new SessionState(b, 's')] as const;
			for (let round = 0; round < 10; round++) {
				let computed = 0;
				const values = await Promise.all(
					Array.from({ length: 6 }, (_, n) =>
						states[n % 2 === 0 ? 0 : 1].getOrCompute(`k${round}`, () => `computed by ${n}, ${++computed}`),
					),
				);
				assert.equal(new Set(values).size, 1);
				assert.ok(computed <= 2, `It was computed ${computed} times.`);
				assert.equal(await new SessionState(b, 's').get(`k${round}`), values[0]);
			}
		},
	},
];

function named(value: StateValue, index: number): [name: string, value: StateValue] {
	return [`${typeof value} ${Array.isArray(value)} ${index}`, value];
}
