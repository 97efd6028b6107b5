import { copyFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConversationError } from '../contract/conversation-error.js';
import type { ConversationHead } from '../contract/conversation-record.js';
import { ContextTable } from '../store/context-table.js';
import {
	readChange,
	readDiscovery,
	readHead,
	readMessage,
	readSnapshot,
	type StoredMessage,
} from '../store/stored-records.js';
import { ConversationFolder } from './conversation-folder.js';
import { hasCode, readText, writeText } from './disk.js';
import { logText } from './json-log.js';

const HEAD = 'conversation.json';
const MESSAGES = 'messages.jsonl';
const DISCOVERIES = 'discoveries.jsonl';
const CONTEXT = Object.freeze(['context.json', 'context.json.gz', 'context.jsonl']);
/** What stands in place of a message that is lost. */
const LOST = 'This message was damaged on the disk and could not be restored.';

/**
 * Repairs the files of one conversation whose lock is held. What is damaged is kept in the folder, with `.corrupt-` and
 * `now` after its name. Returns the names of the repaired files.
 */
export async function repairFolder(path: string, id: string, now: number): Promise<string[]> {
	const folder = new ConversationFolder(path);
	const repaired: string[] = [];
	for (const { isDamaged, repair } of [
		{ isDamaged: () => folder.readHead(), repair: () => repairHead(path, id, now) },
		{
			isDamaged: () => folder.messages.read({ limit: Number.POSITIVE_INFINITY }),
			repair: () => repairMessages(path, now),
		},
		{ isDamaged: () => folder.context.load(), repair: () => repairContext(path, now) },
		{ isDamaged: () => folder.discoveries(), repair: () => repairDiscoveries(path, now) },
	]) {
		try {
			await isDamaged();
		} catch (error) {
			if (!(error instanceof ConversationError) || error.code !== 'corrupt') throw error;
			repaired.push(...(await repair()));
		}
	}
	return repaired;
}

async function repairHead(path: string, id: string, now: number): Promise<string[]> {
	const previous = (await readText(join(path, 'conversation.previous.json'))) ?? '';
	const { version, head } = valid(() => readHead(JSON.parse(previous))) ?? { version: 1, head: plainHead(id, now) };
	// Whoever wrote something and is no member that is known is a former one, so that it can be erased.
	const authors = (await authorsIn(path)).filter((by) => !head.members.some(({ principal }) => principal === by));
	const formers = authors.map((principal) => ({ principal, role: 'former' as const, since: now }));
	await copyAside(path, HEAD, now);
	// Nobody can hold this version as one that they read.
	const file = { version: version + 1_000, head: { ...head, members: [...head.members, ...formers] } };
	await writeText(join(path, HEAD), JSON.stringify(file, undefined, '\t'));
	return [HEAD];
}

/** Returns who wrote what can be read. */
async function authorsIn(path: string): Promise<string[]> {
	const archive = (await archiveOf(path)).map((name) => join('archive', name));
	const authors = new Set<string>();
	const note = (written: readonly { readonly by?: string | undefined }[]) => {
		for (const { by } of written) if (by !== undefined) authors.add(by);
	};
	for (const name of [...archive, MESSAGES]) note(await validIn(join(path, name), readMessage));
	note(await validIn(join(path, DISCOVERIES), readDiscovery));
	note((await contextOf(path)).entries);
	return [...authors];
}

async function repairMessages(path: string, now: number): Promise<string[]> {
	const archive = (await archiveOf(path)).map((name) => join('archive', name));
	const found = new Map<number, StoredMessage>();
	for (const name of [...archive, MESSAGES]) {
		for (const message of await validIn(join(path, name), readMessage)) found.set(message.number, message);
	}
	await copyAside(path, MESSAGES, now);
	// In this order: after a crash in between, the archive is still damaged, and nothing is lost.
	await writeText(join(path, MESSAGES), logText(withoutHoles(found, now)));
	for (const name of archive) await rename(join(path, name), join(path, asideName(name, now)));
	return [...archive, MESSAGES];
}

async function repairContext(path: string, now: number): Promise<string[]> {
	const table = await contextOf(path);
	for (const name of CONTEXT) await copyAside(path, name, now);
	const entries = table.entries.map(({ type: _type, bytes: _bytes, ...entry }) => entry);
	await writeText(join(path, 'context.json'), JSON.stringify({ version: table.version + 1, entries }, undefined, '\t'));
	for (const name of CONTEXT.slice(1)) await rm(join(path, name), { force: true });
	return [...CONTEXT];
}

/** Returns what can be read of the context. */
async function contextOf(path: string): Promise<ContextTable> {
	const table = new ContextTable();
	for (const name of CONTEXT.slice(0, 2)) {
		const text = await readText(join(path, name)).catch(() => undefined);
		const snapshot = valid(() => readSnapshot(JSON.parse(text ?? '')));
		if (snapshot !== undefined && snapshot.version > table.version) table.restore(snapshot.version, snapshot.entries);
	}
	const changes = await validIn(join(path, 'context.jsonl'), readChange);
	for (const change of changes) if (change.version > table.version) table.apply(change);
	return table;
}

async function repairDiscoveries(path: string, now: number): Promise<string[]> {
	const found = await validIn(join(path, DISCOVERIES), readDiscovery);
	await copyAside(path, DISCOVERIES, now);
	await writeText(join(path, DISCOVERIES), logText(found.map((each, index) => ({ ...each, number: index + 1 }))));
	return [DISCOVERIES];
}

async function copyAside(path: string, name: string, now: number): Promise<void> {
	await copyFile(join(path, name), join(path, asideName(name, now))).catch((error) => {
		if (!hasCode(error, 'ENOENT')) throw error;
	});
}

function asideName(name: string, now: number): string {
	return `${name.replaceAll('/', '-')}.corrupt-${now}`;
}

function plainHead(id: string, now: number): ConversationHead {
	return {
		id,
		title: id,
		project: '',
		description: '',
		metadata: {},
		owner: '',
		members: [],
		links: [],
		state: 'suspended',
		createdAt: now,
		updatedAt: now,
		lastUsedAt: now,
	};
}

async function archiveOf(path: string): Promise<string[]> {
	const names = await readdir(join(path, 'archive')).catch(() => []);
	return names.filter((name) => /^\d+-\d+\.jsonl(\.gz)?$/.test(name)).sort();
}

function valid<T>(look: () => T): T | undefined {
	try {
		return look();
	} catch {
		return undefined;
	}
}

/** Returns the records of those lines that can be read. */
async function validIn<T>(path: string, parse: (value: unknown) => T): Promise<T[]> {
	const text = (await readText(path).catch(() => undefined)) ?? '';
	return text.split('\n').flatMap((line) => {
		const value = valid((): unknown => JSON.parse(line));
		return (Array.isArray(value) ? value : [value]).flatMap((each) => valid(() => parse(each)) ?? []);
	});
}

function withoutHoles(found: ReadonlyMap<number, StoredMessage>, now: number): StoredMessage[] {
	let last = 0;
	for (const number of found.keys()) last = Math.max(last, number);
	return Array.from({ length: last }, (_, index) => {
		const lost = { number: index + 1, role: 'system' as const, content: LOST, at: now, metadata: { lost: true } };
		return found.get(index + 1) ?? lost;
	});
}
