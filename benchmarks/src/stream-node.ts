/**
 * A node that holds streams and writes to streams, without HTTP. `node stream-node.js <store> <options as JSON>` says
 * when it holds its streams, and then answers requests of its parent, one at a time.
 */
import { type StoreName, streamsOn } from './servers/managers.js';
import { TurnMeter } from './turn-meter.js';

/** What a node is told at its start. */
export interface StreamNodeOptions {
	/** The durability of PostgreSQL. */
	readonly durability?: 'fast' | 'strict';
	/** The streams that it holds. */
	readonly holds: readonly string[];
	/** The streams that it writes to in turn. */
	readonly writesTo: readonly string[];
}

/** Write for so long, or say what came until now. */
export type StreamNodeRequest = { readonly writeForMs: number } | 'status';

/** What a node did. */
export interface StreamNodeStatus {
	/** How many events it sent that were acknowledged, and how many were written to its streams. */
	readonly sent: number;
	readonly written: number;
	/** The longest turn of the event loop while it wrote, in milliseconds, without the time that it waited for a core. */
	readonly longestTurnMs: number;
}

/** How many sends wait for their acknowledgement at once. */
const WRITERS = 200;
const event = `data: ${'x'.repeat(192)}\n\n`;

const { durability, holds, writesTo } = JSON.parse(process.argv[3] ?? '') as StreamNodeOptions;
process.once('disconnect', () => process.exit());
const streams = await streamsOn(process.argv[2] as StoreName, durability);
const turns = new TurnMeter();
let [sent, written] = [0, 0];

process.on('message', (request: StreamNodeRequest) => {
	const done = request === 'status' ? Promise.resolve() : write(request.writeForMs);
	done.then(
		() => process.send?.({ sent, written, longestTurnMs: turns.longestMs } satisfies StreamNodeStatus),
		(error: unknown) => process.send?.({ error: String(error) }),
	);
});

for (const id of holds) await streams.create(id, { enqueue: () => void written++, close() {}, desiredSize: 1 });
process.send?.('holds');

async function write(ms: number): Promise<void> {
	turns.start();
	const endsAt = performance.now() + ms;
	const work = async (from: number) => {
		for (let at = from; performance.now() < endsAt; at += WRITERS) {
			await streams.send([writesTo[at % writesTo.length] ?? ''], event);
			sent++;
		}
	};
	await Promise.all(Array.from({ length: WRITERS }, (_, n) => work(n)));
	turns.stop();
}
