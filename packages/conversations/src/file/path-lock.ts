import { readlink, symlink, unlink } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { type Clock, systemClock } from '@holdfast/session-manager/custom';
import { ConversationError } from '../contract/conversation-error.js';
import { hasCode } from './disk.js';
import type { ProcessMark } from './process-mark.js';

/** A holder that has held on for so long may have ended; asking costs more than looking. */
const DOUBT_AFTER_MS = 50;

/**
 * Locks paths among the processes of one host. A lock is a symbolic link that names its holder: it is made in one step,
 * and whoever finds it can ask whether the holder lives. The lock of a process that has ended is free.
 */
export class PathLock {
	readonly #mark: ProcessMark;
	readonly #timeoutMs: number;
	readonly #clock: Clock;
	#taken = 0;

	constructor(mark: ProcessMark, timeoutMs: number, clock: Clock = systemClock) {
		this.#mark = mark;
		this.#timeoutMs = timeoutMs;
		this.#clock = clock;
	}

	/**
	 * Runs `work` while no other process holds `path`. Returns `undefined`, and does not run it, where the folder of
	 * `path` does not exist. Rejects with `unavailable` when the lock is not free in time.
	 */
	async hold<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
		// Names one acquisition, so that a lock found again is known to be the same.
		const holder = `${this.#mark.name}:${++this.#taken}`;
		if (!(await this.#take(path, holder))) return undefined;
		try {
			return await work();
		} finally {
			// Deleting a conversation takes the lock away with the folder.
			await unlink(path).catch((error) => {
				if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
			});
		}
	}

	/** Takes the lock, when it is free. Returns `false` where the folder of `path` does not exist. */
	async #take(path: string, holder: string): Promise<boolean> {
		const begun = this.#clock.monotonic();
		let other: { readonly holder: string; since: number } | undefined;
		for (;;) {
			try {
				await symlink(holder, path);
				return true;
			} catch (error) {
				if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
				if (!hasCode(error, 'EEXIST')) throw error;
			}
			const now = this.#clock.monotonic();
			const found = await holderOf(path);
			if (found === undefined) continue;
			if (found !== other?.holder) other = { holder: found, since: now };
			if (now - other.since >= DOUBT_AFTER_MS) {
				if (!(await this.#mark.isAlive(found.split(':', 1)[0] ?? ''))) {
					await this.#break(path, found);
					continue;
				}
				other.since = now;
			}
			if (now - begun > this.#timeoutMs) {
				throw new ConversationError('unavailable', `Other processes have held ${path} for too long: try again later.`);
			}
			await setTimeout(1 + Math.random() * 4);
		}
	}

	/** Two that find a dead holder must not both remove the lock: the second would remove the lock of the first. */
	async #break(path: string, holder: string): Promise<void> {
		await this.hold(`${path}.break`, async () => {
			if ((await holderOf(path)) === holder) await unlink(path);
		});
	}
}

async function holderOf(path: string): Promise<string | undefined> {
	try {
		return await readlink(path);
	} catch (error) {
		if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
		throw error;
	}
}
