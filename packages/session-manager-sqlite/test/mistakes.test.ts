import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
	SqliteInfoSessionManager,
	SqliteStreamSessionManager,
	sqliteSessionManager,
} from '@holdfast/session-manager-sqlite';
import { SqliteConversationStore } from '@holdfast/session-manager-sqlite/conversations';
import { describe, expect, it } from 'vitest';

const expected = "the path of a file such as './sessions.db', or an open connection to one";

describe('what is no SQLite file', () => {
	it.each([
		[undefined, `${expected}, not undefined.`],
		[null, `${expected}, not null.`],
		[1, `${expected}, not 1.`],
		['', `${expected}; '' is no path of a file.`],
		[':memory:', `${expected}; ':memory:' is no path of a file.`],
		['file:sessions.db', `${expected}; 'file:sessions.db' is no path of a file.`],
		['http://localhost/a.db', `${expected}; 'http://localhost/a.db' is no path of a file.`],
		[{ path: 'a.db' }, `${expected}, not an object.`],
		[Promise.resolve('a.db'), `${expected}, not a promise: await it first.`],
	])('is refused when it is given: %s', (source, sentence) => {
		for (const Made of [SqliteInfoSessionManager, SqliteStreamSessionManager, SqliteConversationStore]) {
			assert.throws(() => new Made(source as never), {
				name: 'TypeError',
				message: `${Made.name} needs ${sentence}`,
			});
		}
	});
});

describe('a file that cannot be made', () => {
	it.each([
		['gone/a.db', (path: string) => `The folder ${dirname(path)} of ${path} does not exist: make it first.`],
		['.', (path: string) => `${path} is a folder: name a file in it, such as ${join(path, 'sessions.db')}.`],
	])('is refused with what to do: %s', async (name, sentence) => {
		const folder = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
		const path = join(folder, name);
		await using info = new SqliteInfoSessionManager(path);
		await using store = new SqliteConversationStore(path);
		info.onerror = store.onerror = () => {};
		await assert.rejects(async () => info.read('s'), { code: 'unavailable', message: sentence(path) });
		await assert.rejects(async () => store.read('c'), { code: 'unavailable', message: sentence(path) });
		rmSync(folder, { recursive: true });
	});
});

describe('an option', () => {
	it('is checked, and may be one of either manager', async () => {
		const folder = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
		const file = join(folder, 'a.db');
		expect(() => sqliteSessionManager(file, { maxSession: 1 } as never)).toThrow(
			'SqliteStreamSessionManager has no option maxSession. Did you mean maxSessions?',
		);
		expect(() => new SqliteInfoSessionManager(file, { maxSessions: -1 })).toThrow(
			'SqliteInfoSessionManager: maxSessions must be a whole number, 0 or more, not -1.',
		);
		expect(() => new SqliteStreamSessionManager(file, { history: { maxEvent: 1 } } as never)).toThrow(
			'SqliteStreamSessionManager has no option history.maxEvent. Did you mean history.maxEvents?',
		);
		await sqliteSessionManager(file, { maxSessions: 5, history: { maxEvents: 1 } }).close();
		rmSync(folder, { recursive: true });
	});
});
