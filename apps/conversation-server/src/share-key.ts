import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ShareKey } from '@holdfast/conversations';

/** Returns whether a store is a file of SQLite; otherwise it is a folder. */
export function isDatabase(store: string): boolean {
	return /\.(db|sqlite3?)$/.test(store);
}

/**
 * Returns the key that signs share links. It is kept in the folder of the conversations, or beside their file, readable
 * by its owner only, so that links count after a restart and in every process.
 */
export async function shareKeyOf(store: string): Promise<ShareKey> {
	const path = isDatabase(store) ? `${store}.share-key` : join(store, '.share-key');
	await mkdir(dirname(path), { recursive: true });
	const mine = `${path}.${randomBytes(8).toString('hex')}`;
	await writeFile(mine, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' });
	try {
		// Made in one step: of two that start at once, both use the key of the first.
		await link(mine, path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
	} finally {
		await rm(mine);
	}
	return { id: 'local', secret: await readFile(path, 'utf8') };
}
