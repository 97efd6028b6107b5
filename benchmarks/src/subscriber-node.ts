/**
 * A node that holds the streams of sessions in its own process, and tells subscribers of a resource. `node
 * subscriber-node.js <store> <options as JSON>` says when it holds its streams, and then answers requests of its parent,
 * one at a time.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { StreamController } from '@holdfast/session-manager/custom';
import { HttpTransport } from '@holdfast/transport-http';
import { inParallel } from './in-parallel.js';
import { echoV1 } from './servers/echo-v1.js';
import { managersOn, type StoreName } from './servers/managers.js';
import { subscriberId } from './subscriber-names.js';
import { TurnMeter } from './turn-meter.js';

/** What a node is told at its start: which sessions are its own, of all that {@link subscriberId} names. */
export interface SubscriberNodeOptions {
	readonly first: number;
	readonly step: number;
	readonly end: number;
}

/** Begin anew to count and to measure, tell the subscribers of a URI, or say what was measured so far. */
export type SubscriberNodeRequest = 'begin' | 'status' | { readonly update: string };

/** What a node measured since it began; times in milliseconds of the machine's monotonic clock. */
export interface SubscriberNodeStatus {
	/** The events that its streams got, how many of them one stream got at most, and when the last one came. */
	readonly received: number;
	readonly most: number;
	readonly lastAt: number;
	/** How many of them were another event than the last one that a node was asked for. */
	readonly wrong: number;
	/** When it began to tell the subscribers, and when that was done. */
	readonly beganAt: number;
	readonly doneAt: number;
	/** The longest turn of its event loop, without the time that it waited for a core. */
	readonly longestTurnMs: number;
	/** How much its resident memory grew at most, in bytes; not a number where the system does not say it. */
	readonly grownBytes: number;
}

const OPENING = 50;
const RETRY_MS = 250;
const uris = /"uri":"bench:\/\/subscribers\/\d+"/;

process.once('disconnect', () => process.exit());
const { first, step, end } = JSON.parse(process.argv[3] ?? '') as SubscriberNodeOptions;
const sessionManager = await managersOn(process.argv[2] as StoreName);
const transport = new HttpTransport(echoV1, { sessionManager });
const count = Math.ceil((end - first) / step);
const received = new Uint32Array(count);
const turns = new TurnMeter();
let [wrong, lastAt, beganAt, doneAt, residentBytes] = [0, 0, 0, 0, 0];

const handle = async (request: SubscriberNodeRequest): Promise<void> => {
	if (request === 'begin') {
		received.fill(0);
		[wrong, lastAt, beganAt, doneAt] = [0, 0, 0, 0];
		globalThis.gc?.();
		residentBytes = memoryBytes('VmRSS');
		forgetPeak();
		turns.stop();
		turns.start();
	} else if (request !== 'status') {
		beganAt = now();
		await transport.notify.resourceUpdated(request.update);
		doneAt = now();
	}
};
process.on('message', (request: SubscriberNodeRequest) => {
	handle(request).then(
		() =>
			process.send?.({
				received: received.reduce((sum, events) => sum + events, 0),
				most: received.reduce((most, events) => Math.max(most, events), 0),
				lastAt,
				wrong,
				beganAt,
				doneAt,
				longestTurnMs: turns.longestMs,
				grownBytes: memoryBytes('VmHWM') - residentBytes,
			} satisfies SubscriberNodeStatus),
		(error: unknown) => process.send?.({ error: String(error) }),
	);
});

await inParallel(count, OPENING, async (n) => {
	const enqueue = (chunk: Uint8Array) => {
		received[n] = (received[n] ?? 0) + 1;
		lastAt = now();
		const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
		if (!uris.test(text)) wrong++;
	};
	await open(subscriberId(first + n * step), { enqueue, close() {}, desiredSize: 1 });
});
process.send?.('holds');

/** Comes back as a client does, where the store is too busy with all of them at once. */
async function open(id: string, controller: StreamController): Promise<void> {
	for (;;) {
		try {
			await sessionManager.streams.create(id, controller);
			return;
		} catch {
			await delay(RETRY_MS);
		}
	}
}

function now(): number {
	return Number(process.hrtime.bigint()) / 1e6;
}

function memoryBytes(name: 'VmRSS' | 'VmHWM'): number {
	try {
		const status = readFileSync('/proc/self/status', 'utf8');
		return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) * 1_024;
	} catch {
		return Number.NaN;
	}
}

/** Makes the peak of the resident memory what it is now. */
function forgetPeak(): void {
	try {
		writeFileSync('/proc/self/clear_refs', '5');
	} catch {
		// Then the peak is the one since the start.
	}
}
