import assert from 'node:assert/strict';
import { median } from './median.js';
import { type StoreName, streamsOn } from './servers/managers.js';

/** The streams that take turns. */
const STREAMS = 32;
const event = `data: ${'x'.repeat(192)}\n\n`;

/** What it takes to append one event, and to resume after all of a history, in microseconds. */
export interface HistoryCost {
	readonly append: number;
	readonly resume: number;
}

/** Measures streams whose history has each of `sizes` events, as long as each of them is kept. */
export async function historyCosts(store: StoreName, sizes: readonly number[], rounds: number): Promise<HistoryCost[]> {
	const streams = await streamsOn(store);
	/** Opens a stream, and resolves once it has got `count` events after `lastEventId`, with the first bytes of it. */
	const open = async (id: string, count: number, lastEventId?: string) => {
		let [text, seen] = ['', 0];
		let allCame = () => {};
		const all = new Promise<void>((resolve) => {
			allCame = resolve;
		});
		const enqueue = (chunk: Uint8Array) => {
			const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
			if (text === '') text = bytes.toString('latin1', 0, 200);
			for (let at = bytes.indexOf('\n\n'); at !== -1; at = bytes.indexOf('\n\n', at + 2)) seen++;
			if (seen >= count) allCame();
		};
		const options = lastEventId === undefined ? { prime: 'data: \n\n' } : { lastEventId, ongap: lost };
		const attachment = await streams.create(id, { enqueue, close() {}, desiredSize: 1 }, options);
		if (count > 0) await all;
		assert.equal(seen, count, `A stream of ${store} got other events than it had missed.`);
		attachment?.detach();
		return /^id: ?(.+)$/m.exec(text)?.[1] ?? '';
	};
	const costs: HistoryCost[] = [];
	try {
		// The first one is the warm-up.
		for (const [turn, size] of [Math.min(100, Math.max(...sizes)), ...sizes].entries()) {
			const ids = Array.from({ length: STREAMS }, (_, n) => `${turn}-${n}`);
			const begins = await Promise.all(ids.map((id) => open(id, 1)));
			const append = () => Promise.all(ids.map((id) => streams.send([id], event)));
			for (let n = 0; n < size; n++) await append();
			const resumes: number[] = [];
			for (const [n, id] of ids.entries()) {
				const begunAt = performance.now();
				await open(id, size, begins[n]);
				resumes.push((performance.now() - begunAt) * 1e3);
			}
			const appends: number[] = [];
			for (let round = 0; round < rounds; round++) {
				const begunAt = performance.now();
				for (const id of ids) await streams.send([id], event);
				appends.push(((performance.now() - begunAt) * 1e3) / ids.length);
			}
			costs.push({ append: median(appends) ?? Number.NaN, resume: median(resumes) ?? Number.NaN });
		}
	} finally {
		await streams.close();
	}
	return costs.slice(1);
}

function lost(): void {
	throw new Error('Events were lost that a history should keep.');
}
