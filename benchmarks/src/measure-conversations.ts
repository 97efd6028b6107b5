import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversations } from '@holdfast/conversations';
import type { ConversationHead, ConversationStore } from '@holdfast/conversations/custom';
import { startPostgres } from '@holdfast/local-cluster';
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';
import { type BenchQuery, ConversationTexts } from './conversation-texts.js';
import type { Cores } from './cores.js';
import { markdownTable } from './markdown-table.js';
import type { Measurement } from './measurement.js';
import { percentile } from './percentile.js';
import type { Plan } from './plan.js';
import { SeedConversations } from './seed-conversations.js';

/** How many people there are: of 10,000 conversations each has 100, as many as may be active by default. */
const PEOPLE = 100;

/** Conversations of many people, as a server uses them. Each method returns what shows that it did what it should. */
interface Subject {
	readonly title: string;
	/** Stores a conversation with messages. */
	write(person: string, id: string, texts: readonly string[]): Promise<void>;
	/** Adds a message; returns how many there are then. */
	append(person: string, id: string, text: string): Promise<number>;
	/** Comes back to a conversation; returns how many messages there are. */
	resume(person: string, id: string): Promise<number>;
	/** Returns how much is found, in all conversations of somebody or in one of them. */
	search(person: string, query: BenchQuery, id?: string): Promise<number>;
	close(): Promise<void>;
}

/** Measures conversations on SQLite and PostgreSQL beside plain JSON files. */
export async function measureConversations(
	plan: Plan,
	_cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const rows: string[][] = [];
	for (const open of [openSeed, openSqlite, openPostgres]) {
		const subject = await open();
		try {
			log(`conversations: ${subject.title}`);
			rows.push([subject.title, ...(await measured(subject, plan, log))]);
		} finally {
			await subject.close();
		}
	}
	const count = (plan.conversations * plan.messages).toLocaleString('en');
	const title = `Conversations: ${count} messages in ${plan.conversations.toLocaleString('en')} conversations`;
	const columns = ['append', 'resume', 'search of a person', 'search in one'].map((name) => `${name}, p50 / p95 ms`);
	const markdown = markdownTable(['', ...columns, 'messages stored a second'], rows);
	return { tables: [{ title, markdown, rows: rows.map(([name = '']) => name) }], problems: [] };
}

async function measured(subject: Subject, plan: Plan, log: (line: string) => void): Promise<string[]> {
	const texts = new ConversationTexts();
	const begun = performance.now();
	for (let n = 0; n < plan.conversations; n++) {
		await subject.write(
			personOf(n),
			idOf(n),
			Array.from({ length: plan.messages }, () => texts.text()),
		);
		if (n % 1_000 === 999) log(`conversations: ${n + 1} are stored`);
	}
	const perSecond = (plan.conversations * plan.messages) / ((performance.now() - begun) / 1_000);
	const any = () => texts.below(plan.conversations);
	const counts = new Map<number, number>();
	const appends = await timed(plan.samples, async () => {
		const n = any();
		const text = texts.text();
		return async () => {
			const count = await subject.append(personOf(n), idOf(n), text);
			assert.equal(count, (counts.get(n) ?? plan.messages) + 1);
			counts.set(n, count);
		};
	});
	const resumes = await timed(plan.samples, async () => {
		const n = any();
		return async () => assert.equal(await subject.resume(personOf(n), idOf(n)), counts.get(n) ?? plan.messages);
	});
	const [wide, narrow] = [false, true].map((isOne) => {
		const queries = texts.queries(plan.samples);
		return async () => {
			let found = 0;
			const took = await timed(plan.samples, async (sample) => {
				const [n, query] = [any(), queries[sample]];
				assert.ok(query);
				return async () => {
					found += await subject.search(personOf(n), query, isOne ? idOf(n) : undefined);
				};
			});
			assert.ok(found > 0, 'Nothing was found.');
			return took;
		};
	});
	return [appends, resumes, await wide?.(), await narrow?.()]
		.map((took = []) => [0.5, 0.95].map((share) => percentile(took, share)?.toFixed(2)).join(' / '))
		.concat(perSecond.toFixed(0));
}

/** Times `count` calls one after the other; what prepares a call is not timed. Returns milliseconds. */
async function timed(count: number, prepare: (sample: number) => Promise<() => Promise<void>>): Promise<number[]> {
	const took: number[] = [];
	for (let sample = 0; sample < count; sample++) {
		const call = await prepare(sample);
		const begun = performance.now();
		await call();
		took.push(performance.now() - begun);
	}
	return took;
}

async function openSeed(): Promise<Subject> {
	const seed = new SeedConversations(await mkdtemp(join(tmpdir(), 'holdfast-bench-')));
	return {
		title: 'plain JSON files',
		write: (person, id, texts) => seed.write(person, id, texts),
		append: (person, id, text) => seed.append(person, id, text),
		resume: (person, id) => seed.resume(person, id),
		search: (person, { words }, id) => seed.search(person, words, id === undefined ? undefined : [id]),
		close: () => seed.remove(),
	};
}

async function openSqlite(): Promise<Subject> {
	const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
	const store = new SqliteConversationStore(join(folder, 'conversations.db'));
	return subjectOn('**Holdfast** on SQLite', store, () => rm(folder, { recursive: true, force: true }));
}

async function openPostgres(): Promise<Subject> {
	const postgres = await startPostgres({ fsync: 'on' });
	const store = new PostgresConversationStore(postgres.url);
	await connected(store);
	return subjectOn('**Holdfast** on PostgreSQL', store, () => postgres.close());
}

/** The first node makes the schema; until then it serves nobody. */
async function connected(store: ConversationStore): Promise<void> {
	for (;;) {
		try {
			await store.read('nothing');
			return;
		} catch {
			// It is being made.
		}
	}
}

function subjectOn(title: string, store: ConversationStore, remove: () => Promise<void>): Subject {
	// Nothing is kept in memory between two calls, as if each came to another node.
	const conversations = new Conversations(store, { maxCached: 0, sweepIntervalMs: 0 });
	const open = (person: string, id: string) => conversations.of(person).open(id);
	return {
		title,
		async write(person, id, texts) {
			assert.equal(await patiently(() => store.create(headOf(person, id))), true);
			const messages = texts.map((content) => ({ role: 'user' as const, content, at: Date.now(), by: person }));
			assert.equal(await patiently(() => store.append(id, messages)), 1);
		},
		append: (person, id, content) => conversations.of(person).at(id).addMessage({ role: 'user', content }),
		resume: async (person, id) => (await (await open(person, id)).resume()).totals.messages,
		async search(person, { query }, id) {
			const where = id === undefined ? conversations.of(person) : await open(person, id);
			return (await where.search(query)).length;
		},
		async close() {
			conversations.close();
			await store.close();
			await remove();
		},
	};
}

/** A file that is written as fast as it can be may be locked for a moment, while its log is written back. */
async function patiently<T>(work: () => T | PromiseLike<T>): Promise<T> {
	for (;;) {
		try {
			return await work();
		} catch (error) {
			if (!String(error).includes('is locked by another process')) throw error;
		}
	}
}

function headOf(person: string, id: string): ConversationHead {
	const at = Date.now();
	return {
		id,
		title: `About ${id}`,
		project: 'Benchmark',
		description: '',
		metadata: {},
		owner: person,
		members: [{ principal: person, role: 'owner', since: at }],
		links: [],
		state: 'active',
		createdAt: at,
		updatedAt: at,
		lastUsedAt: at,
	};
}

function idOf(n: number): string {
	return `conversation-${n}`;
}

/** People begin conversations in turn, so that what belongs to one is everywhere in a store. */
function personOf(n: number): string {
	return `person-${n % PEOPLE}`;
}
