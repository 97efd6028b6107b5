import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../../test/support/deadline.ts';
import { FetchHttpConnection } from '../../src/http/connection.ts';
import { pacedWrite } from '../../src/http/paced-write.ts';

const EVENT = 'x'.repeat(10_000);
const HIGH_WATER = 64 * 1024;
const events = Array<string>(100).fill(EVENT);

/** A client that reads when it is told to, and events that are being written to it. */
function open() {
	const clock = new ManualClock();
	let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
	const connection = new FetchHttpConnection((body) => {
		reader = body.getReader();
	});
	let written = 0;
	const done = pacedWrite(connection, clock, events, 20_000, (event) => {
		written++;
		connection.write(event);
	});
	return { clock, connection, done, written: () => written, read: () => reader?.read() };
}

describe('paced writing', () => {
	it('never leaves more unread than it may, and brings everything to a client that reads slowly', async () => {
		const { clock, connection, done, written, read } = open();
		for (let received = 0; received < events.length; received++) {
			await settle();
			expect((written() - received) * EVENT.length).toBeLessThanOrEqual(HIGH_WATER + 20_000 + EVENT.length);
			expect((await read())?.value?.byteLength).toBe(EVENT.length);
			clock.advance(29_000);
		}
		await done;
		expect([written(), connection.open]).toEqual([events.length, true]);
	});

	it('cuts a client off that reads nothing for 30 s, and then waits for nothing', async () => {
		const { clock, connection, done, written } = open();
		await settle();
		clock.advance(29_999);
		await settle();
		expect([connection.open, written() < events.length]).toEqual([true, true]);
		clock.advance(1);
		await done;
		expect([connection.open, written()]).toEqual([false, events.length]);
	});

	it('waits for nothing when the connection is closed meanwhile', async () => {
		const { connection, done, written } = open();
		await settle();
		connection.close();
		await done;
		expect(written()).toBe(events.length);
	});
});
