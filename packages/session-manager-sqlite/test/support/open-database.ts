import type { SqliteDatabase } from '../../src/file/driver.ts';
import { driverOf } from '../../src/file/driver.ts';

/** Opens a file as whoever repairs it, or damages it, does. */
export async function openDatabase(path: string): Promise<SqliteDatabase> {
	return (await driverOf(path)).open(path);
}
