import { setImmediate } from 'node:timers/promises';
import { ERASED } from '@holdfast/conversations/custom';
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/support/until.ts';
import { sampleDiscovery, sampleHead } from '../../conversations/src/testing/samples.ts';
import { abandon } from '../src/conversations/delete-steps.ts';
import { driverOf, type SqliteDatabase } from '../src/file/driver.ts';
import { openConnection } from '../src/open-connection.ts';
import { openDatabase } from './support/open-database.ts';
import { SessionFile } from './support/session-file.ts';
import { areApart, largest, StepCounter } from './support/step-counter.ts';

const MANY = 1_200;
/** More than a step of a deletion, or of an erasure, writes: for each text, the index writes several rows. */
const DELETED = 4_000;
const ERASED_ROWS = 1_500;

let file: SessionFile;
let steps: StepCounter;
let template: SqliteDatabase;
let store: SqliteConversationStore;
/** For looking at the file. */
let database: SqliteDatabase;

beforeEach(async () => {
	file = new SessionFile();
	steps = new StepCounter();
	template = await steps.connect(file.path);
	store = new SqliteConversationStore(template);
	await store.read('nothing');
	database = await openDatabase(file.path);
});
afterEach(async () => {
	await store.close();
	database.close();
	template.close();
	file[Symbol.dispose]();
});

function count(table: string): number {
	return Number((database.prepare(`SELECT count(*) AS n FROM holdfast_${table}`).get() as { n: number }).n);
}

const TABLES = ['conversation', 'member', 'message', 'discovery', 'context', 'words', 'shelved', 'shelf'];

/** Fills a conversation: every second message is of Bob, and so is what else there is. */
async function fill(id: string, messages = MANY): Promise<void> {
	await store.create(sampleHead(id));
	const said = Array.from({ length: messages }, (_, n) => ({
		role: 'user' as const,
		content: `needle ${n}`,
		at: 1,
		by: n % 2 === 0 ? 'alice' : 'bob',
	}));
	await store.append(id, said);
	for (let n = 0; n < 20; n++) {
		await store.addDiscovery(id, sampleDiscovery(`needle ${n}`, { by: 'bob' }));
		await store.setContext(id, `k${n}`, undefined, { value: 'needle', at: 1, by: 'bob' });
	}
}

const terms = [{ words: ['needle'], prefix: false }];

describe('a conversation that is deleted', () => {
	it('is unknown to everybody at once, and goes in steps', async () => {
		await fill('c');
		await fill('other', 10);
		steps.forget();
		const deleted = store.delete('c');
		while (steps.transactions.length === 0) await setImmediate();
		expect(count('message')).toBeGreaterThan(10);
		expect(await store.read('c')).toBeUndefined();
		expect(await store.counts('c')).toBeUndefined();
		expect(await store.messages('c', { limit: 10 })).toEqual([]);
		expect(await store.search({ terms, conversation: 'c', limit: 10 })).toEqual([]);
		const found = await store.search({ terms, principal: 'alice', limit: 100 });
		expect(new Set(found.map(({ conversation }) => conversation))).toEqual(new Set(['other']));
		for (const filter of [{}, { principal: 'alice' }]) {
			const { conversations } = await store.list(filter, undefined, 10);
			expect(conversations.map(({ head }) => head.id)).toEqual(['other']);
		}
		expect(await store.create(sampleHead('c', { title: 'Anew' }))).toBe(true);
		expect(await deleted).toBe(true);
		expect(count('message')).toBe(10);
		expect((await store.read('c'))?.head.title).toBe('Anew');
		expect(await store.counts('c')).toMatchObject({ messages: 0 });
		expect(largest(steps.transactions)).toBeLessThan(DELETED);
		expect(areApart(steps.transactions)).toBe(true);
		for (const id of ['c', 'other']) expect(await store.delete(id)).toBe(true);
		expect(TABLES.map(count)).toEqual(TABLES.map(() => 0));
	});

	it('goes whole where its process dies meanwhile: whoever uses the file next removes the rest', async () => {
		await fill('c', 600);
		const { connection } = await openConnection(file.path, await driverOf(file.path), 0);
		expect(abandon(connection, 'c')).toBe(true);
		connection.close();
		const next = new SqliteConversationStore(file.wayOf(0));
		expect((await next.list({}, undefined, 10)).conversations).toEqual([]);
		await until('nothing is left', () => TABLES.every((table) => count(table) === 0));
		await next.close();
	});
});

describe('what somebody wrote', () => {
	it('is erased in steps, all of it and nothing else', async () => {
		await fill('c');
		steps.forget();
		expect(await store.eraseAuthor('c', 'bob')).toBe(MANY / 2 + 40);
		expect(largest(steps.transactions)).toBeLessThan(ERASED_ROWS);
		expect(steps.transactions.length).toBeGreaterThanOrEqual(MANY / 100);
		expect(areApart(steps.transactions)).toBe(true);
		const messages = await store.messages('c', { limit: MANY });
		expect(messages).toHaveLength(MANY);
		for (const [index, { content, by, number }] of messages.entries()) {
			expect([number, content, by]).toEqual([
				index + 1,
				index % 2 === 0 ? `needle ${index}` : ERASED,
				index % 2 === 0 ? 'alice' : undefined,
			]);
		}
		expect(await store.context('c')).toEqual([]);
		expect(await store.counts('c')).toMatchObject({ context: 0, contextBytes: 0, discoveries: 20 });
		expect(await store.eraseAuthor('c', 'bob')).toBe(0);
	});
});
