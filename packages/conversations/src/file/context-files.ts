import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ContextChange, ContextTable, type KeptEntry } from '../store/context-table.js';
import { readChange, readSnapshot, type Snapshot } from '../store/stored-records.js';
import { COMPRESSED_FROM_BYTES, corruptFile, readText, writeText } from './disk.js';
import { firstVersion } from './first-version.js';
import { JsonLog } from './json-log.js';

/** A log is folded into a snapshot when it has more changes than this, and more than four for each value. */
const MIN_FOLDED = 200;

/** The context of one conversation: a snapshot, and a log of the changes since. */
export class ContextFiles {
	readonly #folder: string;
	readonly #log: JsonLog<ContextChange>;
	#table = new ContextTable();
	/** The log that the table was made from: folding rewrites it. */
	#madeFrom: string | undefined;
	/** How many of the log's changes the table has seen. */
	#seen = 0;

	/** `folder` is the conversation's. */
	constructor(folder: string) {
		this.#folder = folder;
		this.#log = new JsonLog(join(folder, 'context.jsonl'), readChange);
	}

	/** Returns the context as it is stored. */
	async load(): Promise<ContextTable> {
		const changes = await this.#log.load();
		if (this.#madeFrom !== this.#log.name || changes.length < this.#seen) {
			// The log was read before the snapshot: it is as old as the snapshot or older, so no change is missing.
			const snapshot = await this.#readSnapshot();
			this.#table = new ContextTable();
			if (snapshot !== undefined) this.#table.restore(snapshot.version, snapshot.entries);
			this.#madeFrom = this.#log.name;
			this.#seen = 0;
		}
		for (const change of changes.slice(this.#seen)) {
			if (change.version <= this.#table.version) continue;
			if (change.version !== this.#table.version + 1) {
				this.#madeFrom = undefined;
				throw corruptFile(this.#log.path, `change ${this.#table.version + 1} is missing`);
			}
			this.#table.apply(change);
		}
		this.#seen = changes.length;
		return this.#table;
	}

	/** Loads the context to change it. Where there was none, its versions begin. The lock must be held. */
	async begin(): Promise<ContextTable> {
		const table = await this.load();
		if (table.version > 0) return table;
		await this.#writeSnapshot({ version: firstVersion(), entries: [] });
		return this.load();
	}

	/** Stores a change. The lock must be held and the context loaded. */
	async store(change: ContextChange): Promise<void> {
		await this.#log.append([change]);
		await this.load();
	}

	/** Folds the log into a snapshot where it is long, or in any case. The lock must be held. */
	async fold(always = false): Promise<void> {
		const { version, entries } = await this.begin();
		const { length } = await this.#log.load();
		if (!always && (length < MIN_FOLDED || length < 4 * entries.length)) return;
		const kept: KeptEntry[] = entries.map(({ type: _type, bytes: _bytes, ...entry }) => entry);
		const isLarge = await this.#writeSnapshot({ version, entries: kept });
		await this.#log.replace([]);
		await rm(this.#snapshotPath(!isLarge), { force: true });
	}

	/** Returns whether it is large. The table is made anew from it. */
	async #writeSnapshot(snapshot: Snapshot): Promise<boolean> {
		const text = `${JSON.stringify(snapshot, undefined, '\t')}\n`;
		const isLarge = text.length > COMPRESSED_FROM_BYTES;
		await writeText(this.#snapshotPath(isLarge), text);
		this.#madeFrom = undefined;
		return isLarge;
	}

	/** Of two snapshots, which a crash may leave, the newer counts. */
	async #readSnapshot(): Promise<Snapshot | undefined> {
		let newest: Snapshot | undefined;
		for (const path of [this.#snapshotPath(true), this.#snapshotPath(false)]) {
			const text = await readText(path);
			if (text === undefined) continue;
			let snapshot: Snapshot;
			try {
				snapshot = readSnapshot(JSON.parse(text));
			} catch (error) {
				throw corruptFile(path, 'it is not the context that was written', error);
			}
			if (newest === undefined || snapshot.version > newest.version) newest = snapshot;
		}
		return newest;
	}

	#snapshotPath(isLarge: boolean): string {
		return join(this.#folder, `context.json${isLarge ? '.gz' : ''}`);
	}
}
