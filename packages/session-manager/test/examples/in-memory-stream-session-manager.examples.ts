import { InMemoryStreamSessionManager } from '@holdfast/session-manager';

export function options(report: (error: Error) => void): InMemoryStreamSessionManager {
	//#region options
	const streams = new InMemoryStreamSessionManager({
		history: { maxEvents: 200, maxAgeMs: 60_000 },
		maxBufferedBytes: 256 * 1024,
	});
	streams.onerror = report;
	//#endregion options
	return streams;
}

export function stats(manager: InMemoryStreamSessionManager): string {
	//#region stats
	const { streams, events } = manager.stats();
	const line = `${streams} open streams, ${events} events in the history`;
	//#endregion stats
	return line;
}
