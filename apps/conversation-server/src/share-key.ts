import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ShareKey } from '@holdfast/conversations';

/** Returns what a store is. */
export function kindOf(store: string): 'memory' | 'postgres' | 'sqlite' | 'files' {
	if (store === 'memory') return 'memory';
	if (/^postgres(ql)?:/i.test(store)) return 'postgres';
	return /\.(db|sqlite3?)$/.test(store) ? 'sqlite' : 'files';
}

/**
 * Returns the keys that sign share links. Without a secret there is one in the folder of the conversations, or beside
 * their file, readable by its owner only, so that links count after a restart and in every process; with a database
 * elsewhere there is none.
 */
export async function shareKeysOf(store: string, secret: string | undefined): Promise<ShareKey[]> {
	if (secret !== undefined) return [{ id: 'given', secret }];
	switch (kindOf(store)) {
		case 'memory':
			return [{ id: 'local', secret: randomBytes(32) }];
		case 'postgres':
			return [];
		case 'sqlite':
			return [await keptKey(`${store}.share-key`)];
		case 'files':
			return [await keptKey(join(store, '.share-key'))];
	}
}

async function keptKey(path: string): Promise<ShareKey> {
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
