import assert from 'node:assert/strict';
import { placeOf } from '@holdfast/session-manager/custom';
import { describe, it } from 'vitest';

describe('where an address leads', () => {
	it.each([
		['redis://cache:6379/0', 'redis://cache:6379/0'],
		['redis://:s3cret@cache:6379', 'redis://…@cache:6379'],
		['postgres://me:s3cret@one,two/shop', 'postgres://…@one,two/shop'],
		['postgres://me:s3/cret@db/shop', 'postgres://…@db/shop'],
		['postgres://me:s3@cret@db/shop', 'postgres://…@db/shop'],
		['redis://:s3?cret@cache', 'redis://…'],
		['redis://:s3#cret@cache', 'redis://…'],
		['postgres://db/shop?password=s3cret', 'postgres://db/shop'],
		['postgres://db/shop?password=s3@cret', 'postgres://…'],
		['postgres://me:s3cret@db/shop?password=cret#cret', 'postgres://…@db/shop'],
		['mysql://me:s3cret@db:x', 'mysql://…@db:x'],
		['redis:/:s3cret@cache', 'redis:/…@cache'],
		['me:s3cret@cache:6379', 'me:…@cache:6379'],
		[':s3cret@cache:6379/0', ':…@cache:6379/0'],
		['//me:s3cret@cache', '//…@cache'],
		['redis://:s3\ncret@cache', 'redis://…@cache'],
	])('is told of %j without what is secret in it', (address, place) => {
		assert.equal(placeOf(address), place);
		assert.ok(!place.includes('cret'));
	});

	it.each(['memory', './sessions.db', './me@home/what?.db', '/var/lib/me@home:1.db', 'C:\\sessions.db', ''])(
		'is the path itself for %j',
		(path) => {
			assert.equal(placeOf(path), path);
		},
	);
});
