import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../../test/support/deadline.ts';
import { FetchHttpConnection } from '../../src/http/connection.ts';

const MEBIBYTE = 1024 * 1024;

/** A connection, whose client reads when it is told to. */
function open() {
	const clock = new ManualClock(1_000_000);
	let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
	const connection = new FetchHttpConnection((body) => {
		reader = body.getReader();
	}, clock);
	return { clock, connection, read: () => reader?.read() };
}

describe('a client counts as slow', () => {
	it('only after it had five seconds to read, and not where it has read meanwhile', async () => {
		const { clock, connection, read } = open();
		const event = new Uint8Array(MEBIBYTE);
		connection.enqueue(event);
		const { room } = connection;
		expect(room).toBe(64 * 1024 - MEBIBYTE);
		expect(connection.desiredSize).toBe(1);
		clock.advance(4_999);
		expect(connection.desiredSize).toBe(1);
		clock.advance(1);
		expect(connection.desiredSize).toBe(room);
		await read();
		expect(connection.desiredSize).toBe(64 * 1024);
		connection.enqueue(event);
		expect(connection.desiredSize).toBe(1);
	});

	it('at once where it has 16 MiB to read', () => {
		const { connection } = open();
		const event = new Uint8Array(MEBIBYTE);
		for (let n = 0; n < 16; n++) connection.enqueue(event);
		expect(connection.desiredSize).toBe(1);
		connection.enqueue(event);
		expect(connection.desiredSize).toBe(connection.room);
		connection.close();
		expect([connection.desiredSize, connection.room]).toEqual([null, null]);
	});
});

it('tells everyone who waits for a client, once', async () => {
	const { connection, read } = open();
	connection.enqueue(new Uint8Array(MEBIBYTE));
	const told: string[] = [];
	connection.onRead(() => told.push('one'));
	connection.onRead(() => told.push('other'));
	await settle();
	expect(told).toEqual([]);
	const before = connection.taken;
	await read();
	await settle();
	expect(told).toEqual(['one', 'other']);
	expect(connection.taken).not.toBe(before);
	connection.close();
	connection.onRead(() => told.push('late'));
	expect(told).toEqual(['one', 'other', 'late']);
});
