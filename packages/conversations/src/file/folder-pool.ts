import type { ConversationFolder } from './conversation-folder.js';

/** The folders that this process works on, and the last ones that it worked on. One work at a time runs on each. */
export class FolderPool {
	readonly #make: (name: string) => ConversationFolder;
	readonly #max: number;
	/** The least recently used comes first. */
	readonly #folders = new Map<string, ConversationFolder>();
	readonly #queues = new Map<string, Promise<unknown>>();

	/** Keeps at most `max` folders that nobody works on. */
	constructor(make: (name: string) => ConversationFolder, max: number) {
		this.#make = make;
		this.#max = max;
	}

	/** Works on a folder, and keeps what was read of it for the next work. */
	use<T>(name: string, work: (folder: ConversationFolder) => Promise<T>): Promise<T> {
		return this.alone(name, () => {
			const folder = this.#folders.get(name) ?? this.#make(name);
			this.#folders.delete(name);
			this.#folders.set(name, folder);
			for (const oldest of this.#folders.keys()) {
				if (this.#folders.size <= this.#max) break;
				this.#folders.delete(oldest);
			}
			return work(folder);
		});
	}

	/** Works on a folder without keeping it. */
	glance<T>(name: string, work: (folder: ConversationFolder) => Promise<T>): Promise<T> {
		return this.#folders.has(name) ? this.use(name, work) : work(this.#make(name));
	}

	/** Forgets what was read of a folder. */
	drop(name: string): void {
		this.#folders.delete(name);
	}

	/** Runs `work` after all that was asked for under this name before. */
	alone<T>(name: string, work: () => Promise<T>): Promise<T> {
		const before = this.#queues.get(name) ?? Promise.resolve();
		const result = before.then(work, work);
		const settled = result.then(
			() => undefined,
			() => undefined,
		);
		this.#queues.set(name, settled);
		void settled.then(() => {
			if (this.#queues.get(name) === settled) this.#queues.delete(name);
		});
		return result;
	}

	/** Resolves once nothing runs. */
	async idle(): Promise<void> {
		while (this.#queues.size > 0) await Promise.all(this.#queues.values());
	}
}
