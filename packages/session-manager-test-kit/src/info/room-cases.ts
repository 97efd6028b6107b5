import assert from 'node:assert/strict';
import type { InfoSessionManager, SessionRecord } from '@holdfast/session-manager';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { sampleRecord } from '../sample-record.js';
import { assertUnknown, pages } from './unknown-session.js';

/** Stores measure use by their own clock, to which a date is translated: they tell minutes apart, not milliseconds. */
const MINUTE = 60_000;

/** Which session ends when there must be room for another. */
export const roomCases: readonly ContractCase[] = [
	{
		id: 'info/room',
		promise: infoPromises.makeRoom,
		title: 'a session that ends for another is unknown on every peer, with all that it had',
		needs: ['info', 'makesRoom'],
		async run(context) {
			const [a, b] = await context.info();
			await open(a, 'old', 1, { principal: 'alice' });
			await open(b, 'new', 2, { principal: 'alice' });
			await a.addSubscription('old', 'file:///a');
			await a.writeState('old', 'key', undefined, 's1');
			assert.equal(await b.endUnused(Date.now(), 'room'), 'old');
			for (const info of [a, b]) await assertUnknown(info, 'old');
			assert.deepEqual(await a.sessionsOf('alice'), ['new']);
			assert.equal(await open(a, 'old', 3, { principal: 'alice' }, { perPrincipal: 2 }), true);
			assert.deepEqual(await a.listState('old'), new Map());
		},
	},
	{
		id: 'info/room-kept',
		promise: infoPromises.makeRoom,
		title: 'a session that ends for another is kept as any that ended, with time and reason',
		needs: ['info', 'makesRoom', 'keepsEnded'],
		async run(context) {
			const [a, b] = await context.info();
			const record = sampleRecord('s', { principal: 'alice', keepEndedMs: 3_600_000 });
			await a.create(record);
			const endedAt = Date.now() - 500;
			assert.equal(await b.endUnused(endedAt, 'room', 'alice'), 's');
			assert.deepEqual(await a.readEnded('s'), { record, endedAt, reason: 'room' });
			assert.equal(await b.endUnused(endedAt, 'room', 'alice'), undefined);
			assert.equal(await b.endUnused(endedAt, 'room'), undefined);
		},
	},
	{
		id: 'info/room-none',
		promise: infoPromises.nothingToEnd,
		title: 'where nothing lives, nothing ends; sessions that ended, expired or were deleted are passed over',
		needs: ['info', 'makesRoom'],
		async run(context) {
			const [a, b] = await context.info();
			const end = async () => [await a.endUnused(1, 'room'), await b.endUnused(1, 'room', 'alice')];
			assert.deepEqual(await end(), [undefined, undefined]);
			await open(a, 'ended', 1, { principal: 'alice' });
			await open(a, 'deleted', 2, { principal: 'alice' });
			await open(a, 'expired', 3, { principal: 'alice', idleTtlMs: 1 });
			await a.end('ended', 1, 'done');
			await b.delete('deleted');
			assert.deepEqual(await end(), [undefined, undefined]);
			await open(b, 'bobs', 4, { principal: 'bob' });
			assert.equal(await a.endUnused(1, 'room', 'alice'), undefined);
			assert.equal(await a.endUnused(1, 'room'), 'bobs');
		},
	},
	{
		id: 'info/room-of-principal',
		promise: infoPromises.roomOfPrincipal,
		title: 'a principal loses the session that was unused longest, whoever created which one where',
		needs: ['info', 'makesRoom'],
		async run(context) {
			const [a, b] = await context.info();
			await open(b, 'anonymous', 1);
			await open(b, 'bobs', 2, { principal: 'bob' });
			await open(a, 'a1', 10, { principal: 'alice' });
			await open(b, 'a2', 11, { principal: 'alice', remoteAddress: '192.0.2.1' });
			await open(a, 'a3', 12, { principal: 'alice' });
			await b.touch('a1', 20 * MINUTE);
			await a.touch('a2', 5 * MINUTE);
			for (const expected of ['a2', 'a3', 'a1', undefined])
				assert.equal(await a.endUnused(Date.now(), 'room', 'alice'), expected);
			assert.deepEqual((await pages(a, 10)).flat().sort(), ['anonymous', 'bobs']);
		},
	},
	{
		id: 'info/room-of-most',
		promise: infoPromises.roomOfMost,
		title: 'one who floods the store loses their own: down to what the next one has, and to a hundredth',
		needs: ['info', 'makesRoom'],
		async run(context) {
			const [a, b] = await context.info();
			for (let n = 0; n < 4; n++) await open(a, `m${n}`, 100 + n, { principal: 'mallory' });
			for (let n = 0; n < 2; n++) await open(b, `x${n}`, 10 + n, { remoteAddress: '192.0.2.1' });
			await open(b, 'anonymous', 1);
			await open(a, 'alices', 2, { principal: 'alice' });
			const ended: unknown[] = [];
			for (let n = 0; n < 4; n++) ended.push(await (n % 2 ? a : b).endUnused(Date.now(), 'room'));
			assert.deepEqual(ended.slice(0, 2), ['m0', 'm1']);
			// Both have two now: the one without a verified principal loses one first.
			assert.deepEqual(ended.slice(2), ['x0', 'm2']);
		},
	},
	{
		id: 'info/room-of-hundredth',
		promise: infoPromises.roomOfMost,
		title: 'a principal with less than a hundredth of all floods nothing',
		needs: ['info', 'makesRoom'],
		async run(context) {
			const [a, b] = await context.info();
			const others = Array.from({ length: 250 }, (_, n) => n);
			await Promise.all(others.map((n) => open(n % 2 ? a : b, `x${n}`, 100 + n, { remoteAddress: `192.0.2.${n}` })));
			for (const n of [0, 1]) await open(a, `a${n}`, 1 + n, { principal: 'alice' });
			assert.equal(await b.endUnused(Date.now(), 'room'), 'x0');
			await open(b, 'a2', 3, { principal: 'alice' });
			assert.equal(await a.endUnused(Date.now(), 'room'), 'a0');
		},
	},
	{
		id: 'info/room-of-address',
		promise: infoPromises.roomOfAddress,
		title: 'sessions from one address count together, whatever principal they claim',
		needs: ['info', 'makesRoom'],
		async run(context) {
			const [a, b] = await context.info();
			await open(a, 'alices', 1, { principal: 'alice' });
			await open(a, 'y', 2, { remoteAddress: '192.0.2.2' });
			for (let n = 0; n < 3; n++) {
				const principal = n === 0 ? undefined : `credential:${n}`;
				await open(b, `x${n}`, 100 + n, { principal, remoteAddress: '192.0.2.1' });
			}
			const ended: unknown[] = [];
			for (let n = 0; n < 5; n++) ended.push(await (n % 2 ? a : b).endUnused(Date.now(), 'room'));
			assert.deepEqual(ended, ['x0', 'x1', 'y', 'x2', 'alices']);
		},
	},
	{
		id: 'info/room-of-unverified',
		promise: infoPromises.roomOfUnverified,
		title: 'anonymous sessions go before those of principals; of both, the one that was unused longest',
		needs: ['info', 'makesRoom'],
		async run(context) {
			const [a, b] = await context.info();
			for (const [index, name] of ['alice', 'bob', 'carol'].entries())
				await open(a, name, 1 + index, { principal: name });
			for (const n of [1, 2, 3]) await open(b, `x${n}`, 10 + n, { remoteAddress: `192.0.2.${n}` });
			await b.touch('x1', 20 * MINUTE);
			await a.touch('alice', 30 * MINUTE);
			await a.touch('bob', 0);
			const ended: unknown[] = [];
			for (let n = 0; n < 7; n++) ended.push(await (n % 2 ? a : b).endUnused(Date.now(), 'room'));
			assert.deepEqual(ended, ['x2', 'x3', 'x1', 'bob', 'carol', 'alice', undefined]);
		},
	},
	{
		id: 'info/room-race',
		promise: infoPromises.roomRace,
		title: 'of 20 callers that make room at once, each ends another session',
		needs: ['info', 'makesRoom'],
		async run(context) {
			const [a, b] = await context.info();
			for (const principal of ['alice', undefined]) {
				for (let n = 0; n < 22; n++) await open(a, `${principal}${n}`, n, { principal });
				const ended = await Promise.all(
					Array.from({ length: 20 }, (_, n) => (n % 2 ? a : b).endUnused(Date.now(), 'room', principal)),
				);
				assert.equal(new Set(ended).size, 20);
				assert.deepEqual((await pages(b, 100)).flat().sort(), [`${principal}20`, `${principal}21`]);
				for (const n of [20, 21]) await a.delete(`${principal}${n}`);
			}
		},
	},
];

/** Creates a session that was last used at minute `usedAt`. */
async function open(
	info: InfoSessionManager,
	id: string,
	usedAt: number,
	given: Partial<SessionRecord> = {},
	limits = {},
): Promise<boolean> {
	return info.create(sampleRecord(id, { ...given, lastUsedAt: usedAt * MINUTE }), limits);
}
