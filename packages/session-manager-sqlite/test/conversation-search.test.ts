import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { SearchRequest } from '@holdfast/conversations/custom';
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { parseQuery } from '../../conversations/src/store/search-text.ts';
import { sampleDiscovery, sampleHead } from '../../conversations/src/testing/samples.ts';
import { lookedUp } from '../src/conversations/looked-up.ts';
import type { SqliteDatabase, SqliteStatement } from '../src/file/driver.ts';
import { driverOf } from '../src/file/driver.ts';
import { openConnection } from '../src/open-connection.ts';
import { migrations } from '../src/schema.ts';
import { openDatabase } from './support/open-database.ts';
import { SessionFile } from './support/session-file.ts';

let file: SessionFile;
let store: SqliteConversationStore;
/** What was looked up in the index. */
let looks: string[] = [];
/** The turn of the event loop. */
let turn = 0;
let isCounting = false;

function countTurns(): void {
	turn++;
	if (isCounting) setImmediate(countTurns);
}

/** A connection for the store to copy, which notes what is looked up. */
async function noting(): Promise<SqliteDatabase> {
	const database = await openDatabase(file.path);
	database.close();
	const Database = database.constructor as new (path: string) => SqliteDatabase;
	class Noting extends Database {
		override prepare(sql: string): SqliteStatement {
			const statement = super.prepare(sql);
			return {
				run: (...values) => statement.run(...values),
				get: (...values) => statement.get(...values),
				all(...values) {
					if (sql.includes('MATCH')) looks.push(String(values[0]));
					return statement.all(...values);
				},
			};
		}
	}
	return new Noting(file.path);
}

beforeEach(async () => {
	file = new SessionFile();
	store = new SqliteConversationStore(await noting());
	isCounting = true;
	countTurns();
});
afterEach(async () => {
	isCounting = false;
	await store.close();
	file[Symbol.dispose]();
});

const message = (content: string) => ({ role: 'user' as const, content, at: 1 });
const member = (principal: string, role: 'owner' | 'reader' | 'former') => ({ principal, role, since: 1 });

async function write(id: string, owner: string, contents: readonly string[]): Promise<void> {
	await store.create(sampleHead(id, { owner, members: [member(owner, 'owner')] }));
	await store.append(id, contents.map(message));
}

async function change(id: string, head: Partial<ReturnType<typeof sampleHead>>): Promise<void> {
	const stored = await store.read(id);
	assert.ok(stored);
	assert.equal(await store.write(id, stored.version, { ...stored.head, ...head }), true);
}

async function find(query: string, request: Partial<SearchRequest> = { principal: 'alice' }): Promise<string[]> {
	const found = await store.search({ terms: parseQuery(query), limit: 50, ...request });
	return found.map(({ conversation, number }) => `${conversation} ${number}`).sort();
}

/** How many texts the index names for all that was looked up since. */
async function textsRead(): Promise<number> {
	const database = await openDatabase(file.path);
	database.exec(`CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab ('main', 'holdfast_words', 'row')`);
	const exact = database.prepare('SELECT sum(doc) AS texts FROM vocabulary WHERE term = ?');
	const beginning = database.prepare('SELECT sum(doc) AS texts FROM vocabulary WHERE term >= ? AND term < ?');
	let texts = 0;
	for (const query of looks) {
		for (const [, words = '', isBeginning] of query.matchAll(/"([^"]*)"( \*)?/g)) {
			for (const word of words.split(' ')) {
				const row = isBeginning ? beginning.get(word, `${word}\uffff`) : exact.get(word);
				texts += Number((row as { readonly texts: number | null }).texts);
			}
		}
	}
	database.close();
	looks = [];
	return texts;
}

async function countOf(table: string): Promise<number> {
	const database = await openDatabase(file.path);
	const row = database.prepare(`SELECT count(*) AS rows FROM ${table}`).get() as { readonly rows: number };
	database.close();
	return row.rows;
}

describe('what a search reads of the index', () => {
	it('does not grow with what other people write', async () => {
		await write('mine', 'alice', ['a common word', 'a common phrase']);
		const queries = ['common', '"a common"', 'co* common', '"common a"', 'c* p*'];
		const read = async (request: Partial<SearchRequest>) => {
			const counts: number[] = [];
			for (const query of queries) {
				await find(query, request);
				counts.push(await textsRead());
			}
			return counts;
		};
		const [before, one] = [await read({ principal: 'alice' }), await read({ conversation: 'mine' })];
		const texts = Array.from({ length: 3_000 }, () => 'a common phrase of common people');
		await write('theirs', 'bob', texts);
		assert.deepEqual(await read({ principal: 'alice' }), before);
		assert.deepEqual(await read({ conversation: 'mine' }), one);
		assert.ok(
			before.every((count) => count > 0 && count <= 6),
			before.join(),
		);
	});

	it('is bounded for each look, however much there is', async () => {
		const texts = Array.from({ length: 1_000 }, () => 'word '.repeat(10));
		await write('c', 'alice', ['word needle']);
		for (let n = 0; n < 10; n++) await store.append('c', texts.map(message));
		assert.deepEqual(await find('needle'), ['c 1']);
		assert.ok(looks.length > 2);
		looks = [];
		await find('"needle word"');
		const [count, each] = [looks.length, await textsRead()];
		assert.ok(each / count < 4_000, `${each} texts in ${count} looks`);
	});

	it('is of a query of any length a few words, and of no beginning twice', () => {
		const looked = (query: string) =>
			lookedUp(parseQuery(query)).map(({ words, prefix }) => `${words.join(' ')}${prefix ? '*' : ''}`);
		assert.deepEqual(looked(`"${'word '.repeat(10_000)}"`), [Array(64).fill('word').join(' ')]);
		assert.deepEqual(looked('k* k* ke* ke*'), ['ke*']);
		assert.deepEqual(looked('k* kept "all of it"'), ['kept', 'all of it']);
		assert.deepEqual(looked('o* "all of it" x*'), ['all of it', 'x*']);
		assert.deepEqual(looked('a_k* b_ke* c_x*'), ['a k*', 'b', 'c x*']);
		assert.deepEqual(looked('same same'), ['same']);
		const many = lookedUp(Array.from({ length: 16 }, (_, n) => ({ words: Array(99).fill(`w${n}`), prefix: true })));
		assert.deepEqual([many.length, many.flatMap(({ words }) => words).length], [16, 64]);
		assert.ok(many.every(({ prefix }) => !prefix));
	});
});

describe('searches that take long', () => {
	it('leave the event loop free', async () => {
		const long = Array.from({ length: 200 }, () => 'so it goes on '.repeat(600));
		await write('c', 'alice', long);
		const begun = turn;
		const found = await Promise.all([find('goes'), find('"it goes"'), find('goes', { conversation: 'c' })]);
		assert.ok(turn - begun > 6, `${turn - begun} turns`);
		assert.deepEqual(
			found.map(({ length }) => length),
			[50, 50, 50],
		);
	});

	it('end with what the file says where it is closed meanwhile', async () => {
		await write(
			'c',
			'alice',
			Array.from({ length: 300 }, () => 'so it goes on '.repeat(600)),
		);
		const searching = find('goes');
		const closing = store.close();
		await assert.rejects(searching, { code: 'closed' });
		await closing;
	});
});

describe('a conversation', () => {
	it('that changes its owner is found by who may read it, with what was and what is added', async () => {
		await write('c', 'alice', ['needle']);
		await write('other', 'bob', ['needle']);
		await change('c', { owner: 'bob', members: [member('bob', 'owner'), member('alice', 'reader')] });
		await store.append('c', [message('needle')]);
		assert.deepEqual(await find('needle', { principal: 'bob' }), ['c 1', 'c 2', 'other 1']);
		assert.deepEqual(await find('needle', { principal: 'alice' }), ['c 1', 'c 2']);
		await change('c', { members: [member('bob', 'owner'), member('alice', 'former')] });
		assert.deepEqual(await find('needle', { principal: 'alice' }), []);
		assert.deepEqual(await find('needle', { principal: 'alice', conversation: 'c' }), []);
		assert.deepEqual(await find('needle', { principal: 'bob', conversation: 'c' }), ['c 1', 'c 2']);
	});

	it('of which much is written is found whole, and leaves nothing behind once it is deleted', async () => {
		await write('short', 'alice', ['needle']);
		await write('c', 'alice', []);
		for (let n = 0; n < 4; n++) await store.append('c', [message(`needle ${'word '.repeat(60_000)}`)]);
		await store.setContext('c', 'k', '*', { value: 'needle', at: 1 });
		await store.append('short', [message('needle')]);
		const where = ['c 1', 'c 2', 'c 3', 'c 4', 'c undefined', 'short 1', 'short 2'];
		assert.deepEqual(await find('needle'), where);
		assert.deepEqual(await find('needle', { conversation: 'c' }), where.slice(0, 5));
		assert.ok((await countOf('holdfast_shelf')) > 2);
		for (const id of ['c', 'short']) await store.delete(id);
		assert.deepEqual(await find('needle'), []);
		for (const table of ['holdfast_shelf', 'holdfast_shelved', 'holdfast_words']) assert.equal(await countOf(table), 0);
	});
});

it('a file with an older index gets a new one with everything in it, but for what is damaged', async () => {
	await store.close();
	const old = new SessionFile();
	writeFileSync(old.path, '');
	const driver = await driverOf(old.path);
	const { connection } = await openConnection(old.path, driver, 0, migrations.slice(0, 3));
	const head = JSON.stringify(sampleHead('c', { members: [member('alice', 'owner')] }));
	const first = 2 ** 26;
	connection.exec(`INSERT INTO holdfast_conversation
		(id, owner, state, head, used_at, version, revision, messages, archived, discoveries, changes, bytes)
		VALUES ('c', 'alice', 'active', '${head}', 1, 1, 1, 203, 0, 1, 1, 0);
		INSERT INTO holdfast_member VALUES ('alice', 1, 0);
		INSERT INTO holdfast_message (key, body) VALUES (${first + 1}, '{');
		INSERT INTO holdfast_context VALUES (${first + 1}, 1, 'k', '"needle"', 1, 1, 1, 1, NULL, 0)`);
	for (let n = 2; n <= 203; n++) {
		const body = JSON.stringify({ ...message(n % 100 === 3 ? 'needle' : 'word'), number: n });
		connection.run('INSERT INTO holdfast_message (key, body) VALUES (?, ?)', first + n, body);
	}
	const discovery = { ...sampleDiscovery('needle'), number: 1 };
	connection.run('INSERT INTO holdfast_discovery VALUES (?, NULL, ?)', first + 1, JSON.stringify(discovery));
	connection.close();
	store = new SqliteConversationStore(old.path);
	assert.deepEqual(await find('needle'), ['c 1', 'c 103', 'c 203', 'c 3', 'c undefined']);
	await store.append('c', [message('needle')]);
	assert.equal((await find('needle', { conversation: 'c' })).length, 6);
	await store.close();
	old[Symbol.dispose]();
});
