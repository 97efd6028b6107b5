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
 * A message may be in both after a crash: it counts once, as archived.
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
			this.#archive = await this.#listArchive();
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
		const { last, archived } = await this.load();
		const count = messagesToArchive(last - archived, room);
		if (count > 0) await this.#moveToArchive(archived + count);
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
		await this.load();
		let changed = 0;
		const each = (messages: readonly StoredMessage[]) =>
			messages.map((message) => {
				const next = change(message);
				if (next !== message) changed++;
				return next;
			});
		for (const file of this.#archive) {
			const before = changed;
			const messages = each(await this.#readArchive(file));
			// It keeps its name, so that no reader finds the old file beside the new one.
			if (changed > before) await writeText(file.path, linesOf(messages));
		}
		const before = changed;
		const live = each(await this.#log.load());
		if (changed > before) await this.#log.replace(live);
		return changed;
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

	async #listArchive(): Promise<ArchiveFile[]> {
		const names = await readdir(this.#folder).catch((error) => {
			if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
			throw diskError(error, this.#folder);
		});
		const files: ArchiveFile[] = [];
		for (const name of names.sort()) {
			const [, from, to] = /^(\d+)-(\d+)\.jsonl(?:\.gz)?$/.exec(name) ?? [];
			if (from === undefined || to === undefined) continue;
			const file = { from: Number(from), to: Number(to), path: join(this.#folder, name) };
			const last = files.at(-1)?.to ?? 0;
			if (file.from !== last + 1) throw corruptFile(file.path, `message ${last + 1} is missing`);
			files.push(file);
		}
		return files;
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

function linesOf(messages: readonly StoredMessage[]): string {
	return messages.map((message) => `${JSON.stringify(message)}\n`).join('');
}

function digits(number: number): string {
	return String(number).padStart(9, '0');
}
