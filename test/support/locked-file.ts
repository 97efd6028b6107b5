import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from '@photostructure/sqlite';

/** Has a file of SQLite for itself for so long, as a backup tool does that does not know better. */
export async function lockFile(path: string, forMs: number): Promise<void> {
	const database = new DatabaseSync(path, { timeout: 0 });
	try {
		// To wait in SQLite would block this process, which has work to do.
		while (!tried(() => database.exec('BEGIN IMMEDIATE'))) await sleep(1);
		await sleep(forMs);
		database.exec('ROLLBACK');
	} finally {
		database.close();
	}
}

function tried(work: () => void): boolean {
	try {
		work();
		return true;
	} catch (error) {
		if ((error as { readonly errcode?: number }).errcode !== 5) throw error;
		return false;
	}
}
