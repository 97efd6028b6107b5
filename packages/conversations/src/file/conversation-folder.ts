import { link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type {
	ConversationCounts,
	ConversationHead,
	Discovery,
	StoredConversation,
} from '../contract/conversation-record.js';
import { type HeadFile, readDiscovery, readHead } from '../store/stored-records.js';
import { ContextFiles } from './context-files.js';
import { corruptFile, diskError, hasCode, readText, removeLeftovers, writeText } from './disk.js';
import { firstVersion } from './first-version.js';
import { JsonLog } from './json-log.js';
import { MessageFiles } from './message-files.js';

const HEAD = 'conversation.json';
const PREVIOUS_HEAD = 'conversation.previous.json';

/** The files of one conversation. Whoever writes must hold the lock. */
export class ConversationFolder {
	readonly path: string;
	readonly messages: MessageFiles;
	readonly context: ContextFiles;
	readonly #discoveries: JsonLog<Discovery>;

	constructor(path: string) {
		this.path = path;
		this.messages = new MessageFiles(path);
		this.context = new ContextFiles(path);
		this.#discoveries = new JsonLog(join(path, 'discoveries.jsonl'), readDiscovery);
	}

	/** The lock of the conversation. */
	get lock(): string {
		return join(this.path, '.lock');
	}

	/** Makes a folder with nothing but a head, under another name: it becomes a conversation by its name. */
	static async prepare(path: string, head: ConversationHead): Promise<void> {
		try {
			// Not recursive: where the folder above is gone, its disk is not mounted.
			await mkdir(path);
		} catch (error) {
			throw diskError(error, path);
		}
		await writeText(join(path, HEAD), headText({ version: firstVersion(), head }));
	}

	async readHead(): Promise<HeadFile | undefined> {
		const path = join(this.path, HEAD);
		// A folder comes and goes together with its head. It may have gone and come between two looks.
		for (let look = 1; ; look++) {
			const text = await readText(path);
			if (text !== undefined) return parseHead(text, path);
			if ((await this.#stampOf('.')) === '-') return undefined;
			if (look === 2) throw corruptFile(path, 'it is missing');
		}
	}

	async read(): Promise<StoredConversation | undefined> {
		// In this order: what is written after the look at the files makes the revision older than what is returned.
		const stamps = await Promise.all([HEAD, 'messages.jsonl', 'context.jsonl', 'discoveries.jsonl'].map(this.#stampOf));
		const file = await this.readHead();
		return file && { head: file.head, version: String(file.version), revision: `${file.version}/${stamps.join('/')}` };
	}

	/** Replaces the head, and keeps the last one for repairs; where that is to be forgotten, the new one. */
	async writeHead(file: HeadFile, isForgetting = false): Promise<void> {
		const [path, previous] = [join(this.path, HEAD), join(this.path, PREVIOUS_HEAD)];
		try {
			await rm(previous, { force: true });
			if (!isForgetting) await link(path, previous);
		} catch (error) {
			throw diskError(error, previous);
		}
		await writeText(path, headText(file));
		// Not a link: what damages one of them would damage both.
		if (isForgetting) await writeText(previous, headText(file));
	}

	/** Removes what was put aside, and what is left of writes that did not end. */
	async removeLeftovers(): Promise<void> {
		await removeLeftovers(this.path);
		await removeLeftovers(join(this.path, 'archive'));
	}

	async discoveries(): Promise<readonly Discovery[]> {
		const discoveries = await this.#discoveries.load();
		const misplaced = discoveries.findIndex(({ number }, index) => number !== index + 1);
		if (misplaced !== -1) throw corruptFile(this.#discoveries.path, `discovery ${misplaced + 1} is missing`);
		return discoveries;
	}

	async addDiscovery(discovery: Discovery): Promise<void> {
		await this.#discoveries.append([discovery]);
	}

	async replaceDiscoveries(discoveries: readonly Discovery[]): Promise<void> {
		await this.#discoveries.replace(discoveries);
	}

	async counts(): Promise<ConversationCounts> {
		const { last, archived } = await this.messages.load();
		const entries = (await this.context.load()).entries;
		const live = entries.filter((entry) => !entry.archived);
		return {
			messages: last,
			archivedMessages: archived,
			context: live.length,
			contextBytes: live.reduce((sum, { bytes }) => sum + bytes, 0),
			archivedContext: entries.length - live.length,
			discoveries: (await this.discoveries()).length,
			bytes: await this.#bytes(),
		};
	}

	/** Takes the folder away in one step, to `trash`. */
	async moveTo(trash: string): Promise<void> {
		try {
			await rename(this.path, trash);
		} catch (error) {
			throw diskError(error, this.path);
		}
	}

	async #bytes(): Promise<number> {
		const names = await readdir(this.path, { recursive: true }).catch(() => []);
		const sizes = await Promise.all(
			names.map((name) =>
				stat(join(this.path, name)).then(
					(found) => (found.isFile() ? found.size : 0),
					() => 0,
				),
			),
		);
		return sizes.reduce((sum, size) => sum + size, 0);
	}

	readonly #stampOf = async (name: string): Promise<string> => {
		try {
			const { ino, size, mtimeNs } = await stat(join(this.path, name), { bigint: true });
			return `${ino}-${size}-${mtimeNs}`;
		} catch (error) {
			if (hasCode(error, 'ENOENT', 'ENOTDIR')) return '-';
			throw diskError(error, this.path);
		}
	};
}

function parseHead(text: string, path: string): HeadFile {
	try {
		return readHead(JSON.parse(text));
	} catch (error) {
		throw corruptFile(path, 'it is not the head that was written', error);
	}
}

function headText(file: HeadFile): string {
	return `${JSON.stringify(file, undefined, '\t')}\n`;
}
