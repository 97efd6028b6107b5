import { sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { open } from '@holdfast/session-manager-test-kit/own-cases';
import { describe, expect, it, vi } from 'vitest';
import { SqliteConnection } from '../src/connection.ts';
import { SessionFile } from './support/session-file.ts';

describe('a verb costs the store', () => {
	it('one transaction, however many streams are opened in a few turns of the event loop', async () => {
		using file = new SessionFile();
		await using managers = sqliteSessionManager(file.path);
		const { streams } = managers;
		await open(streams, 'first');
		const exec = vi.spyOn(SqliteConnection.prototype, 'exec');
		const opening: Promise<unknown>[] = [];
		for (const turn of [1, 2, 3]) {
			for (let n = 0; n < 5; n++) opening.push(open(streams, `s${turn}-${n}`));
			await new Promise((resolve) => setImmediate(resolve));
		}
		await Promise.all(opening);
		const begun = exec.mock.calls.filter(([sql]) => sql === 'BEGIN IMMEDIATE').length;
		exec.mockRestore();
		expect(begun).toBe(1);
	});
});
