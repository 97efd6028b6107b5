import { type SqliteConnection, textOf } from './file/connection.js';
import { processFolder } from './file/file.js';
import { PeerFiles } from './file/process-files.js';
import { processStatements } from './statements/bus.js';
import type { SqliteStore } from './store.js';
import { EVERY_PROCESS, type Posted } from './transaction.js';

/** The other processes on the file, as far as this one has to do with them. */
export class Peers {
	readonly #store: SqliteStore;
	readonly #files = new Map<number, PeerFiles>();

	constructor(store: SqliteStore) {
		this.#store = store;
	}

	/** Tells each process for which something was posted. */
	ring(posted: readonly Posted[], self: number | undefined, db: SqliteConnection): void {
		const targets = new Set<number>();
		for (const { target } of posted) if (target !== undefined && target !== self) targets.add(target);
		if (targets.delete(EVERY_PROCESS)) {
			for (const { id } of db.all(processStatements.all)) if (id !== self) targets.add(Number(id));
		}
		for (const target of targets) this.#filesOf(target, db)?.ring();
	}

	/** Returns whether a process lives. */
	isAlive(process: number, db: SqliteConnection): boolean {
		return this.#filesOf(process, db)?.isAlive() ?? false;
	}

	/** Returns up to where a process has handed over what was for it. */
	handed(process: number, db: SqliteConnection): number {
		return this.#filesOf(process, db)?.handed() ?? 0;
	}

	/** Removes what is left of a dead process. */
	remove(process: number, db: SqliteConnection): void {
		this.#filesOf(process, db)?.remove();
		this.#files.delete(process);
	}

	/** Forgets every process that is none of `processes`. */
	keepOnly(processes: readonly number[]): void {
		for (const [process, files] of this.#files) {
			if (processes.includes(process)) continue;
			files.close();
			this.#files.delete(process);
		}
	}

	close(): void {
		for (const files of this.#files.values()) files.close();
		this.#files.clear();
	}

	#filesOf(process: number, db: SqliteConnection): PeerFiles | undefined {
		let files = this.#files.get(process);
		if (files !== undefined) return files;
		const row = db.get(processStatements.name, process);
		if (row === undefined) return undefined;
		files = new PeerFiles(processFolder(this.#store.path), textOf(row['name']), this.#store.driver);
		this.#files.set(process, files);
		return files;
	}
}
