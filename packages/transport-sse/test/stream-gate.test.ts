import { BoundedWriter } from '@holdfast/session-manager/custom';
import type { Connection, SessionHost } from '@holdfast/transport/internal';
import { describe, expect, it } from 'vitest';
import { StreamGate } from '../src/stream-gate.ts';
import { formatMark } from '../src/stream-mark.ts';

const MEBIBYTE = 1024 * 1024;
const encoder = new TextEncoder();

/** A connection that keeps what its client does not read. */
class UnreadConnection implements Connection {
	readonly begun = true;
	open = true;
	bytes = 0;
	readonly taken = 0;

	get desiredSize(): number | null {
		return this.room;
	}

	get room(): number | null {
		return this.open ? 64 * 1024 - this.bytes : null;
	}

	enqueue(chunk: Uint8Array): void {
		this.bytes += chunk.byteLength;
	}

	enqueueText(text: string): void {
		this.enqueue(encoder.encode(text));
	}

	write(text: string): void {
		this.enqueue(encoder.encode(text));
	}

	close(): void {
		this.open = false;
	}

	error(): void {
		this.open = false;
	}

	onEnd(): void {}

	onGone(): void {}

	onRead(): void {}

	destroy(): void {
		this.open = false;
	}
}

function openGate() {
	const connection = new UnreadConnection();
	const record = {
		id: 's',
		protocolVersion: '2024-11-05',
		initializeParams: {},
		serverCapabilities: {},
		createdAt: 0,
		lastUsedAt: 0,
		transport: 'sse',
		status: 'active',
	} as const;
	// No call of another node is announced here, so nothing of the host is asked for.
	const gate = new StreamGate(connection, () => record, {} as SessionHost);
	const writer = new BoundedWriter(gate, MEBIBYTE);
	let responses = 0;
	const respond = (bytes: number) => {
		const mark = formatMark({ type: 'response', writer: 'w', number: ++responses, call: 0, opens: false });
		return writer.write(encoder.encode(`${mark}data: ${'x'.repeat(bytes)}\n\n`));
	};
	const say = (bytes: number) => writer.write(encoder.encode(`data: ${'x'.repeat(bytes)}\n\n`));
	return { connection, respond, say };
}

describe('a client of HTTP+SSE', () => {
	it('is not cut off for four of the largest responses at once', () => {
		const { connection, respond } = openGate();
		expect([1, 2, 3, 4].map(() => respond(15 * MEBIBYTE))).toEqual([true, true, true, true]);
		expect(connection.open).toBe(true);
	});

	it('is cut off that never reads, however much of it are responses', () => {
		const { connection, respond } = openGate();
		let taken = 0;
		while (taken < 1_000 && respond(MEBIBYTE)) taken++;
		expect([taken > 60 && taken < 70, connection.open]).toEqual([true, false]);
	});

	it('is cut off that leaves more than its share of other messages unread', () => {
		const { connection, say } = openGate();
		let taken = 0;
		while (taken < 1_000 && say(64 * 1024)) taken++;
		expect([taken < 20, connection.open]).toEqual([true, false]);
	});

	it('that reads is not cut off for a long response that comes after many messages', () => {
		const { connection, respond, say } = openGate();
		expect([say(70 * 1024), respond(2 * MEBIBYTE), say(70 * 1024), respond(2 * MEBIBYTE)]).toEqual(Array(4).fill(true));
		connection.bytes = 0;
		expect([say(70 * 1024), respond(15 * MEBIBYTE)]).toEqual([true, true]);
		expect(connection.open).toBe(true);
	});

	it('that reads again may leave as much unread as before', () => {
		const { connection, respond } = openGate();
		for (let round = 0; round < 2; round++) {
			for (let n = 0; n < 4; n++) expect(respond(15 * MEBIBYTE)).toBe(true);
			connection.bytes = 0;
		}
		expect(connection.open).toBe(true);
	});
});
