import { readlink, symlink, unlink } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { type Clock, systemClock } from '@holdfast/session-manager/custom';
import { ConversationError } from '../contract/conversation-error.js';
import { hasCode } from './disk.js';
import type { ProcessMark } from './process-mark.js';

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
		const deadline = this.#clock.monotonic() + this.#timeoutMs;
		for (;;) {
			try {
				await symlink(holder, path);
				break;
			} catch (error) {
				if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
				if (!hasCode(error, 'EEXIST')) throw error;
			}
			await this.#wait(path, deadline);
		}
		try {
			return await work();
		} finally {
			// Deleting a conversation takes the lock away with the folder.
			await unlink(path).catch((error) => {
				if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
			});
		}
	}

	async #wait(path: string, deadline: number): Promise<void> {
		const other = await holderOf(path);
		if (other === undefined) return;
		if (await this.#mark.isAlive(other.split(':', 1)[0] ?? '')) {
			if (this.#clock.monotonic() > deadline) {
				throw new ConversationError('unavailable', `Another process has held ${path} for too long: try again later.`);
			}
			await setTimeout(1 + Math.random() * 4);
			return;
		}
		// Two that find a dead holder must not both remove the lock: the second would remove the lock of the first.
		await this.hold(`${path}.break`, async () => {
			if ((await holderOf(path)) === other) await unlink(path);
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
