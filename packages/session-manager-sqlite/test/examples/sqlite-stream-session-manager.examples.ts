import { SqliteStreamSessionManager } from '@holdfast/session-manager-sqlite';

export function options(report: (error: Error) => void): SqliteStreamSessionManager {
	//#region options
	const streams = new SqliteStreamSessionManager('./sessions.db', { history: { maxAgeMs: 60_000 } });
	streams.onerror = report;
	//#endregion options
	return streams;
}
