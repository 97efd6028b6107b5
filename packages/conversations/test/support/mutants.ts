import { setImmediate } from 'node:timers/promises';
import { InMemoryConversationStore } from '@holdfast/conversations';
import {
	ConversationError,
	type ConversationStore,
	mayWrite,
	type SearchCandidate,
} from '@holdfast/conversations/custom';
import type { StoreBackend, StoreFactory } from '@holdfast/conversations/testing';

/** A store with one defect. */
export interface Mutant {
	/** What it does wrong. */
	readonly defect: string;
	/** The id of the case that must fail. */
	readonly fails: string;
	readonly factory: StoreFactory;
}

type Healthy = InMemoryConversationStore;
type Methods = { -readonly [Name in keyof ConversationStore]?: unknown };

/** A healthy store, some of whose methods are replaced by spoiled ones. */
function spoiled(spoil: (healthy: Healthy) => Methods): ConversationStore {
	const store = new InMemoryConversationStore();
	const healthy = {} as Record<string, unknown>;
	for (const name of Object.getOwnPropertyNames(InMemoryConversationStore.prototype)) {
		const method = store[name as keyof Healthy] as unknown;
		if (typeof method === 'function') healthy[name] = method.bind(store);
	}
	return Object.assign(store, spoil(healthy as unknown as Healthy));
}

function mutant(defect: string, fails: string, spoil: (healthy: Healthy) => Methods): Mutant {
	return { defect, fails, factory: { abilities: [], createStores: () => ({ stores: [spoiled(spoil)], close() {} }) } };
}

/** A store that breaks a promise about failures: what it does with the data is told by `backend`. */
function failing(
	defect: string,
	fails: string,
	make: () => { store: ConversationStore; backend: StoreBackend },
): Mutant {
	const createStores = () => {
		const { store, backend } = make();
		return { stores: [store], backend, close() {} };
	};
	return { defect, fails, factory: { abilities: ['durable', 'outages', 'corruption'], createStores } };
}

/** One defect for each case. */
export const mutants: readonly Mutant[] = [
	mutant('the metadata of a head is flattened to text', 'head/as-written', (healthy) => ({
		create: (head: Parameters<Healthy['create']>[0], limits: object) =>
			healthy.create({ ...head, metadata: { text: JSON.stringify(head.metadata) } }, limits),
	})),
	mutant('a message to an unknown conversation creates it', 'head/unknown', (healthy) => ({
		append: (...args: Parameters<Healthy['append']>) => healthy.append(...args) ?? 1,
	})),
	mutant('an id is looked at before it is taken', 'head/taken', (healthy) => ({
		async create(...[head, limits]: Parameters<Healthy['create']>) {
			const isFree = healthy.read(head.id) === undefined;
			await setImmediate();
			healthy.create(head, limits);
			return isFree;
		},
	})),
	mutant('a head is written whatever its version is', 'head/compare-and-set', (healthy) => ({
		write: (id: string, _version: string, ...rest: [Parameters<Healthy['write']>[2], object]) =>
			healthy.write(id, healthy.read(id)?.version ?? '', ...rest),
	})),
	mutant('revisions are counted from one for each conversation', 'head/created-again', (healthy) => {
		const firsts = new Map<string, number>();
		return {
			create(...args: Parameters<Healthy['create']>) {
				const isNew = healthy.create(...args);
				if (isNew) firsts.set(args[0].id, Number(healthy.read(args[0].id)?.revision));
				return isNew;
			},
			read(id: string) {
				const stored = healthy.read(id);
				return stored && { ...stored, revision: String(Number(stored.revision) - (firsts.get(id) ?? 0) + 1) };
			},
		};
	}),
	mutant('a version is a hash of the head', 'head/version-never-repeats', (healthy) => ({
		read(id: string) {
			const stored = healthy.read(id);
			return stored && { ...stored, version: JSON.stringify(stored.head) };
		},
		write(id: string, version: string, ...rest: [Parameters<Healthy['write']>[2], object]) {
			const stored = healthy.read(id);
			return JSON.stringify(stored?.head) === version && healthy.write(id, stored?.version ?? '', ...rest);
		},
	})),
	mutant('the revision is that of the head', 'head/revision', (healthy) => ({
		read(id: string) {
			const stored = healthy.read(id);
			return stored && { ...stored, revision: stored.version };
		},
	})),
	mutant('the last touch counts, not the newest', 'head/touch', (healthy) => {
		const touched = new Map<string, number>();
		return {
			touch: (id: string, at: number) => touched.set(id, at) && healthy.touch(id, at),
			read(id: string) {
				const stored = healthy.read(id);
				return stored && { ...stored, head: { ...stored.head, lastUsedAt: touched.get(id) ?? stored.head.lastUsedAt } };
			},
		};
	}),
	mutant('the context outlives its conversation', 'head/deleted', (healthy) => {
		const kept = new Map<string, ReturnType<Healthy['context']>>();
		return {
			delete(id: string) {
				if (healthy.read(id) !== undefined) kept.set(id, healthy.context(id));
				return healthy.delete(id);
			},
			context: (id: string, keys?: string[]) => [...healthy.context(id, keys), ...(kept.get(id) ?? [])],
		};
	}),
	mutant('whether it is used is asked before a head is written', 'head/write-unused', (healthy) => ({
		async writeUnused(...[id, version, head, since]: Parameters<Healthy['writeUnused']>) {
			const { lastUsedAt = since } = healthy.read(id)?.head ?? {};
			await setImmediate();
			return lastUsedAt < since && healthy.write(id, version, head);
		},
	})),
	mutant('whether it is used is asked before it is deleted', 'head/delete-unused', (healthy) => ({
		async deleteUnused(...[id, since]: Parameters<Healthy['deleteUnused']>) {
			const { lastUsedAt = since } = healthy.read(id)?.head ?? {};
			await setImmediate();
			return lastUsedAt < since && healthy.delete(id);
		},
	})),
	mutant('an ended conversation takes messages', 'head/ended', (healthy) => ({
		append: (...[id, messages, room]: Parameters<Healthy['append']>) =>
			healthy.append(id, messages, room) ?? (healthy.read(id) && 1),
	})),
	mutant('ids are compared without regard to capitals', 'head/exact', (healthy) => ({
		create: (...[head, limits]: Parameters<Healthy['create']>) =>
			healthy.create({ ...head, id: head.id.toLowerCase() }, limits),
	})),
	mutant('owners are counted before others have created', 'head/limit-per-owner', (healthy) => ({
		async create(...[head, limits]: Parameters<Healthy['create']>) {
			const { conversations } = healthy.list({ principal: head.owner }, undefined, 1_000);
			if (conversations.length >= (limits?.perOwner ?? 1_000)) throw new ConversationError('limit', 'too many');
			await setImmediate();
			return healthy.create(head);
		},
	})),
	mutant('conversations of an owner that have ended do not count', 'head/limit-kept', (healthy) => ({
		create(...[head, { keptPerOwner = 1_000 } = {}]: Parameters<Healthy['create']>) {
			const { conversations } = healthy.list({ principal: head.owner, states: ['active', 'suspended'] }, undefined, 99);
			if (conversations.length >= keptPerOwner) throw new ConversationError('limit', 'too many');
			return healthy.create(head);
		},
	})),
	mutant('conversations that have ended count in a full store', 'head/limit-total', (healthy) => ({
		create(...[head, limits]: Parameters<Healthy['create']>) {
			const { length } = healthy.list({}, undefined, 1_000).conversations;
			if (length >= (limits?.total ?? 1_000)) throw new ConversationError('limit', 'too many');
			return healthy.create(head);
		},
	})),
	mutant('a suspended conversation becomes active without being counted', 'head/limit-resumed', (healthy) => ({
		write: (...[id, version, head]: Parameters<Healthy['write']>) => healthy.write(id, version, head),
	})),
	mutant('content blocks become text', 'messages/as-written', (healthy) => ({
		append: (...[id, messages, room]: Parameters<Healthy['append']>) =>
			healthy.append(
				id,
				messages.map((message) => ({ ...message, content: String(message.content) })),
				room,
			),
	})),
	mutant('whoever knows the id appends', 'messages/as-somebody', (healthy) => ({
		appendAs: (...[id, messages, room]: Parameters<Healthy['appendAs']>) => healthy.append(id, messages, room),
	})),
	mutant('messages of one call may be parted', 'messages/without-holes', (healthy) => ({
		async append(...[id, messages, room]: Parameters<Healthy['append']>) {
			let first: number | undefined;
			for (const message of messages) {
				const number = healthy.append(id, [message], room);
				first ??= number;
				await setImmediate();
			}
			return first;
		},
	})),
	mutant('a range begins with the oldest messages', 'messages/range', (healthy) => ({
		messages: (...[id, { limit, ...range }]: Parameters<Healthy['messages']>) =>
			healthy.messages(id, { ...range, limit: 1_000_000 }).slice(0, limit),
	})),
	mutant('a range has all messages that it asks for, however long they are', 'messages/bytes', (healthy) => ({
		messages: (...[id, { maxBytes: _, ...range }]: Parameters<Healthy['messages']>) => healthy.messages(id, range),
	})),
	mutant('a message that does not fit is left out of a range', 'messages/without-gaps', (healthy) => ({
		messages(...[id, { maxBytes = 1_000_000, ...range }]: Parameters<Healthy['messages']>) {
			let left = maxBytes;
			const fits = (each: object) => {
				const bytes = JSON.stringify(each).length;
				if (bytes > left) return false;
				left -= bytes;
				return true;
			};
			return healthy.messages(id, range).toReversed().filter(fits).toReversed();
		},
	})),
	mutant('archived messages are gone', 'messages/archived', (healthy) => ({
		messages: (...args: Parameters<Healthy['messages']>) => healthy.messages(...args).filter((each) => !each.archived),
	})),
	failing('what was written last is lost by a restart', 'messages/durable', () => {
		const store = new InMemoryConversationStore();
		const restart = () => {
			const after = spoiled(() => ({}));
			const head = store.read('c')?.head;
			if (head !== undefined) after.create(head);
			after.append('c', store.messages('c', { limit: 1_000 }).slice(0, -1));
			return after;
		};
		return { store, backend: { restart } };
	}),
	failing('damaged messages are read as none', 'messages/corrupt', () => {
		const damaged = new Set<string>();
		const store = spoiled((healthy) => ({
			messages: (...args: Parameters<Healthy['messages']>) => (damaged.has(args[0]) ? [] : healthy.messages(...args)),
		}));
		return { store, backend: { damage: (id) => void damaged.add(id) } };
	}),
	failing('a conversation with a damaged head is created anew', 'head/corrupt', () => {
		const damaged = new Set<string>();
		const store = spoiled((healthy) => ({
			read(id: string) {
				if (damaged.has(id)) throw new ConversationError('corrupt', 'damaged');
				return healthy.read(id);
			},
			create(...args: Parameters<Healthy['create']>) {
				return damaged.delete(args[0].id)
					? healthy.delete(args[0].id) && healthy.create(...args)
					: healthy.create(...args);
			},
		}));
		return { store, backend: { damage: (id) => void damaged.add(id) } };
	}),
	failing('an unreachable store says that there is no such conversation', 'messages/unavailable', () => {
		let away = false;
		const store = spoiled((healthy) => ({ read: (id: string) => (away ? undefined : healthy.read(id)) }));
		return {
			store,
			backend: {
				fail() {
					away = true;
				},
				heal() {
					away = false;
				},
			},
		};
	}),
	mutant('a value is added anew with each write', 'context/as-written', (healthy) => ({
		context: (...args: Parameters<Healthy['context']>) =>
			healthy.context(...args).map((entry) => ({ ...entry, addedAt: entry.updatedAt })),
	})),
	mutant('a removed value leaves its version to the next', 'context/compare-and-set', (healthy) => ({
		context: (...args: Parameters<Healthy['context']>) =>
			healthy.context(...args).map((entry) => ({ ...entry, version: 'v' })),
		setContext(...[id, key, expected, ...rest]: Parameters<Healthy['setContext']>) {
			const version = healthy.context(id, [key])[0]?.version;
			return healthy.setContext(id, key, expected === 'v' ? version : expected, ...rest);
		},
	})),
	mutant('the whole context is read, changed and written', 'context/concurrent', (healthy) => {
		let context: readonly string[] = [];
		return {
			async setContext(...args: Parameters<Healthy['setContext']>) {
				const before = context;
				await setImmediate();
				context = [...before, args[1]];
				return healthy.setContext(...args);
			},
			context: (...args: Parameters<Healthy['context']>) =>
				healthy.context(...args).filter(({ key }) => context.includes(key)),
		};
	}),
	mutant('what moves to the archive is gone', 'context/makes-room', (healthy) => ({
		context: (...args: Parameters<Healthy['context']>) => healthy.context(...args).filter((each) => !each.archived),
	})),
	mutant('archived values are there all the same', 'context/live', (healthy) => ({
		liveContext: async (id: string) => healthy.context(id),
	})),
	mutant('a value that has no room is stored all the same', 'context/too-large', (healthy) => ({
		setContext: (...[id, key, expected, write]: Parameters<Healthy['setContext']>) =>
			healthy.setContext(id, key, expected, write),
	})),
	mutant('an archived value does not count as stored', 'context/brought-back', (healthy) => ({
		setContext(...[id, key, expected, ...rest]: Parameters<Healthy['setContext']>) {
			const [entry] = healthy.context(id, [key]);
			return healthy.setContext(id, key, entry?.archived && expected === undefined ? '*' : expected, ...rest);
		},
	})),
	mutant('a use is a write', 'context/touched', (healthy) => ({
		touchContext(id: string, keys: string[], at: number) {
			for (const { key, value, accessedAt } of healthy.context(id, keys))
				if (accessedAt < at) healthy.setContext(id, key, '*', { value, at });
			return true;
		},
	})),
	mutant('whoever knows the id sets values', 'context/as-somebody', (healthy) => ({
		setContext: (...[id, key, expected, write, maxBytes]: Parameters<Healthy['setContext']>) =>
			healthy.setContext(id, key, expected, write, maxBytes),
	})),
	mutant('whoever knows the id adds discoveries', 'discoveries/as-somebody', (healthy) => ({
		addDiscovery: (...[id, discovery]: Parameters<Healthy['addDiscovery']>) => healthy.addDiscovery(id, discovery),
	})),
	mutant('whether somebody may add a discovery is asked before', 'erase/meanwhile', (healthy) => ({
		async addDiscovery(...[id, discovery, writer]: Parameters<Healthy['addDiscovery']>) {
			const head = healthy.read(id)?.head;
			for (let turn = 0; turn < 3; turn++) await setImmediate();
			if (writer !== undefined && !(head && mayWrite(head, writer))) return undefined;
			return healthy.addDiscovery(id, discovery);
		},
	})),
	mutant('discoveries are numbered by their count a moment ago', 'discoveries/numbered', (healthy) => ({
		async addDiscovery(...args: Parameters<Healthy['addDiscovery']>) {
			const { discoveries = 0 } = healthy.counts(args[0]) ?? {};
			await setImmediate();
			healthy.addDiscovery(...args);
			return discoveries + 1;
		},
	})),
	mutant('the archive is not erased', 'erase/author', (healthy) => {
		const kept = new Map<number, unknown>();
		return {
			eraseAuthor(...args: Parameters<Healthy['eraseAuthor']>) {
				for (const each of healthy.messages(args[0], { limit: 1_000 })) if (each.archived) kept.set(each.number, each);
				return healthy.eraseAuthor(...args);
			},
			messages: (...args: Parameters<Healthy['messages']>) =>
				healthy.messages(...args).map((each) => kept.get(each.number) ?? each),
		};
	}),
	mutant('a phrase is the words in any order', 'search/terms', (healthy) => ({
		search: (request: Parameters<Healthy['search']>[0]) =>
			healthy.search({
				...request,
				terms: request.terms.flatMap(({ words, prefix }) =>
					words.map((word, index) => ({ words: [word], prefix: prefix && index === words.length - 1 })),
				),
			}),
	})),
	mutant('accents make a difference', 'search/case', (healthy) => ({
		append: (...[id, messages, room]: Parameters<Healthy['append']>) =>
			healthy.append(
				id,
				messages.map((each) => ({ ...each, content: String(each.content).replaceAll(/[^\x20-\x7f]/g, '?') })),
				room,
			),
	})),
	mutant('the newest is found first', 'search/best-first', (healthy) => ({
		search: (request: Parameters<Healthy['search']>[0]) =>
			healthy
				.search({ ...request, limit: 1_000 })
				.sort((one, other) => Number(other.number) - Number(one.number))
				.slice(0, request.limit),
	})),
	mutant('what is archived is not found', 'search/archive', (healthy) => ({
		search: (request: Parameters<Healthy['search']>[0]) => healthy.search(request).filter((each) => !each.archived),
	})),
	mutant('a former member still finds', 'search/where', (healthy) => ({
		search({ principal, ...request }: Parameters<Healthy['search']>[0]) {
			const { conversations } = healthy.list({ principal }, undefined, 1_000);
			const ids = new Set(conversations.map(({ head }) => head.id));
			return healthy.search(request).filter(({ conversation }: SearchCandidate) => ids.has(conversation));
		},
	})),
	mutant('only the beginning of a text is searched', 'search/long', (healthy) => ({
		append: (...[id, messages, room]: Parameters<Healthy['append']>) =>
			healthy.append(
				id,
				messages.map((each) => ({ ...each, content: String(each.content).slice(0, 10_000) })),
				room,
			),
	})),
	mutant('the best of everybody are looked through for those of one person', 'search/own', (healthy) => ({
		search({ principal, limit, ...request }: Parameters<Healthy['search']>[0]) {
			const { conversations } = healthy.list({ principal }, undefined, 1_000);
			const ids = new Set(conversations.map(({ head }) => head.id));
			const all = ['alice', 'bob'].flatMap((each) => healthy.search({ ...request, principal: each, limit }));
			const best = all.sort((one, other) => other.score - one.score).slice(0, limit);
			return best.filter(({ conversation }: SearchCandidate) => ids.has(conversation));
		},
	})),
	mutant('an earlier value is still found', 'search/current', (healthy) => {
		const texts: SearchCandidate[] = [];
		return {
			setContext(...args: Parameters<Healthy['setContext']>) {
				const [id, key, , write] = args;
				const text = `${key} ${JSON.stringify(write?.value ?? '')}`;
				texts.push({ conversation: id, kind: 'context', key, text, at: 1, archived: false, score: 1 });
				return healthy.setContext(...args);
			},
			search: ({ terms }: Parameters<Healthy['search']>[0]) =>
				texts.filter(({ text }) => terms.every(({ words }) => words.every((word) => text.includes(word)))),
		};
	}),
	mutant('a filter shows what matches any condition', 'list/filter', (healthy) => ({
		list: (...[{ principal, ...rest }, ...page]: Parameters<Healthy['list']>) =>
			healthy.list(Object.values(rest).some((each) => each !== undefined) ? rest : { principal }, ...page),
	})),
	mutant('the oldest part of the archive is dropped', 'use/archive', (healthy) => ({
		search: (request: Parameters<Healthy['search']>[0]) =>
			healthy.search(request).filter(({ number, archived }) => !(archived && Number(number) <= 4)),
	})),
	mutant('members are read from memory, once there are several', 'use/stranger', (healthy) => {
		const members = new Map<string, readonly unknown[]>();
		return {
			read(id: string) {
				const stored = healthy.read(id);
				const known = members.get(id) ?? stored?.head.members ?? [];
				if (known.length > 1) members.set(id, known);
				return stored && { ...stored, head: { ...stored.head, members: known } };
			},
		};
	}),
	mutant('a head is written without its share links', 'use/share-links', (healthy) => ({
		write: (...[id, version, head, limits]: Parameters<Healthy['write']>) =>
			healthy.write(id, version, { ...head, links: [] }, limits),
	})),
	mutant('an erasure that finds no value leaves something that is no context', 'use/readable', (healthy) => {
		const damaged = new Set<string>();
		return {
			eraseAuthor(...args: Parameters<Healthy['eraseAuthor']>) {
				if (healthy.context(args[0]).length === 0) damaged.add(args[0]);
				return healthy.eraseAuthor(...args);
			},
			context(...args: Parameters<Healthy['context']>) {
				if (damaged.has(args[0])) throw new ConversationError('corrupt', 'damaged');
				return healthy.context(...args);
			},
		};
	}),
	mutant('what a former member wrote stays', 'use/person', (healthy) => ({
		eraseAuthor(...[id, principal]: Parameters<Healthy['eraseAuthor']>) {
			const member = healthy.read(id)?.head.members.find((each) => each.principal === principal);
			return member === undefined || member.role === 'former' ? 0 : healthy.eraseAuthor(id, principal);
		},
	})),
	failing('a search ends with what is damaged', 'search/corrupt', () => {
		let isDamaged = false;
		const store = spoiled((healthy) => ({
			search(request: Parameters<Healthy['search']>[0]) {
				if (isDamaged) throw new ConversationError('corrupt', 'damaged');
				return healthy.search(request);
			},
		}));
		return {
			store,
			backend: {
				damage() {
					isDamaged = true;
				},
			},
		};
	}),
	mutant('a cursor is a position', 'list/pages', (healthy) => ({
		list(...[filter, cursor = '0', limit]: [Parameters<Healthy['list']>[0], string | undefined, number]) {
			const all = healthy.list({}, undefined, 1_000).conversations;
			const page = all.slice(Number(cursor), Number(cursor) + limit);
			const conversations = page.filter(({ head }) => head.owner === filter.principal);
			const next = Number(cursor) + limit;
			return { conversations, ...(next < all.length && { cursor: String(next) }) };
		},
	})),
];
