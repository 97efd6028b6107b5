import assert from 'node:assert/strict';
import { missingMigrations } from '@holdfast/session-manager/custom';
import { describe, it } from 'vitest';

const first = { id: 1, breaking: true, sql: 'first' };
const second = { id: 2, breaking: false, sql: 'second' };
const third = { id: 3, breaking: true, sql: 'third' };

describe('the migrations that a store lacks', () => {
	it('are all of them for an empty store, in order', () => {
		assert.deepEqual(missingMigrations([first, second, third], []), [first, second, third]);
	});

	it('are the newer ones for a store that an older version made', () => {
		assert.deepEqual(missingMigrations([first, second, third], [first]), [second, third]);
		assert.deepEqual(missingMigrations([first, second], [first, second]), []);
	});

	it('are none for a store that a newer version changed in a way that older ones can work with', () => {
		assert.deepEqual(missingMigrations([first], [first, second]), []);
	});

	it('are refused for a store that only newer versions can work with', () => {
		assert.throws(() => missingMigrations([first], [first, second, third]), {
			code: 'unavailable',
			message: 'The store has migration 3, with which this version of Holdfast cannot work: upgrade this node.',
		});
	});
});
