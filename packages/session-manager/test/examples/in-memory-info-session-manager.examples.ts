import { InMemoryInfoSessionManager } from '@holdfast/session-manager';

export function options(report: (error: Error) => void): InMemoryInfoSessionManager {
	//#region options
	const info = new InMemoryInfoSessionManager({ maxSessions: 1_000, sweepIntervalMs: 10_000 });
	info.onerror = report;
	//#endregion options
	return info;
}

export function stats(info: InMemoryInfoSessionManager): string {
	//#region stats
	const { sessions, subscriptions } = info.stats();
	const line = `${sessions} sessions, ${subscriptions} subscriptions`;
	//#endregion stats
	return line;
}
