import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Message } from '../contract/conversation-record.js';
import type { HistoryRoom, Range } from '../contract/conversation-store.js';
import { NewestItems } from '../store/inside.js';
import { messagesToArchive } from '../store/room.js';
import { readMessage, type StoredMessage } from '../store/stored-records.js';
import { COMPRESSED_FROM_BYTES, corruptFile, diskError, hasCode, makeFolder, readText, writeText } from './disk.js';
import { JsonLog, recordsOf } from './json-log.js';

/** One file of the archive: messages `from` to `to`. */
interface ArchiveFile {
	readonly from: number;
	readonly to: number;
	readonly path: string;
}

/**
 * The messages of one conversation. The working history is a log; the archive is a folder of files that never change.
 * A message may be in both after a crash or on a full disk: it counts once, as archived. Readers list the archive again
 * when the log was rewritten; whoever moves or rewrites messages, each time, since the log tells nothing of a file that
 * was left by a move that did not end.
 */
export class MessageFiles {
	readonly #folder: string;
	readonly #log: JsonLog<StoredMessage>;
	#archive: readonly ArchiveFile[] = [];
	/** The log that the archive was listed for: moving messages rewrites the log. */
	#listedFor: string | undefined;

	/** `folder` is the conversation's. */
	constructor(folder: string) {
		this.#folder = join(folder, 'archive');
		this.#log = new JsonLog(join(folder, 'messages.jsonl'), readMessage);
	}

	/** Returns the number of the last message, and of the last in the archive. */
	async load(): Promise<{ readonly last: number; readonly archived: number }> {
		const records = await this.#log.load();
		// In this order: a message that moves meanwhile is found in both places and not in none.
		if (this.#listedFor !== this.#log.name) {
			this.#archive = reading(await this.#listArchive());
			this.#listedFor = this.#log.name;
		}
		const archived = this.#archive.at(-1)?.to ?? 0;
		let last = archived;
		for (const { number } of records) {
			if (number <= last) continue;
			if (number !== last + 1) throw corruptFile(this.#log.path, `message ${last + 1} is missing`);
			last = number;
		}
		return { last, archived };
	}

	/** Appends messages that are numbered. The lock must be held and the files loaded. */
	append(messages: readonly StoredMessage[]): Promise<void> {
		return this.#log.append(messages);
	}

	/** Moves the oldest messages to the archive where the working history has too many. The lock must be held. */
	async makeRoom(room: HistoryRoom): Promise<void> {
		// A new list may have more, and never less: where there is room by the old one, there is room.
		if (toMove(await this.load(), room) === 0) return;
		this.#listedFor = undefined;
		const found = await this.load();
		const count = toMove(found, room);
		if (count > 0) await this.#moveToArchive(found.archived + count);
	}

	async read(range: Range): Promise<Message[]> {
		const { archived } = await this.load();
		const live = (await this.#log.load()).filter(({ number }) => number > archived);
		const newest = new NewestItems<StoredMessage>(range);
		let mayGoOn = newest.add(live);
		for (const file of [...this.#archive].reverse()) {
			if (!mayGoOn) break;
			if (file.from >= (range.before ?? Number.POSITIVE_INFINITY) || file.to <= (range.after ?? 0)) continue;
			mayGoOn = newest.add(await this.#readArchive(file));
		}
		return newest.found.map((message) => ({ ...message, archived: message.number <= archived }));
	}

	/** Replaces messages by what `change` returns. Returns how many it changed. The lock must be held. */
	async rewrite(change: (message: StoredMessage) => StoredMessage): Promise<number> {
		const changed = new Set<number>();
		const each = (messages: readonly StoredMessage[]) => {
			const next = messages.map(change);
			for (const [index, message] of messages.entries()) if (next[index] !== message) changed.add(message.number);
			return { next, isChanged: next.some((message, index) => message !== messages[index]) };
		};
		this.#listedFor = undefined;
		await this.load();
		for (const file of await this.#listArchive()) {
			const { next, isChanged } = each(await this.#readArchive(file));
			// It keeps its name, so that no reader finds the old file beside the new one.
			if (isChanged) await writeText(file.path, linesOf(next));
		}
		const { next, isChanged } = each(await this.#log.load());
		if (isChanged) await this.#log.replace(next);
		return changed.size;
	}

	async #moveToArchive(to: number): Promise<void> {
		const records = await this.#log.load();
		const from = (this.#archive.at(-1)?.to ?? 0) + 1;
		const text = linesOf(records.filter(({ number }) => number >= from && number <= to));
		const name = `${digits(from)}-${digits(to)}.jsonl${text.length > COMPRESSED_FROM_BYTES ? '.gz' : ''}`;
		await makeFolder(this.#folder);
		await writeText(join(this.#folder, name), text);
		await this.#log.replace(records.filter(({ number }) => number > to));
	}

	/** Returns every file of the archive in order; of those that begin with the same message, the longest comes first. */
	async #listArchive(): Promise<ArchiveFile[]> {
		const names = await readdir(this.#folder).catch((error) => {
			if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
			throw diskError(error, this.#folder);
		});
		const files = names.flatMap((name) => {
			const [, from, to] = /^(\d+)-(\d+)\.jsonl(?:\.gz)?$/.exec(name) ?? [];
			return from && to ? { from: Number(from), to: Number(to), path: join(this.#folder, name) } : [];
		});
		return files.sort((one, other) => one.from - other.from || other.to - one.to);
	}

	async #readArchive({ path, from, to }: ArchiveFile): Promise<StoredMessage[]> {
		const text = await readText(path);
		if (text === undefined) throw corruptFile(path, 'it is missing');
		const messages = recordsOf(text, path, readMessage);
		if (messages.length !== to - from + 1 || messages.some(({ number }, index) => number !== from + index)) {
			throw corruptFile(path, 'it does not hold the messages that its name says');
		}
		return messages;
	}
}

/**
 * Returns the files to read of those that were listed. A move that did not end leaves a file, and the next one may have
 * written a longer one from the same message on, which counts.
 */
function reading(listed: readonly ArchiveFile[]): ArchiveFile[] {
	const files: ArchiveFile[] = [];
	for (const file of listed) {
		const before = files.at(-1);
		if (before?.from === file.from) continue;
		if (file.from !== (before?.to ?? 0) + 1)
			throw corruptFile(file.path, `message ${(before?.to ?? 0) + 1} is missing`);
		files.push(file);
	}
	return files;
}

function toMove({ last, archived }: { readonly last: number; readonly archived: number }, room: HistoryRoom): number {
	return messagesToArchive(last - archived, room);
}

function linesOf(messages: readonly StoredMessage[]): string {
	return messages.map((message) => `${JSON.stringify(message)}\n`).join('');
}

function digits(number: number): string {
	return String(number).padStart(9, '0');
}
