import { describe } from 'vitest';
import { usePostgres } from './support/cluster.ts';

usePostgres();

describe('on PostgreSQL', async () => {
	await import('./any-node.test.ts');
});
