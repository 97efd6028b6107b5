import { describe } from 'vitest';
import { useSqlite } from './support/cluster.ts';

useSqlite();

describe('on one file of SQLite', async () => {
	await import('./any-node.test.ts');
});
