import { SqliteInfoSessionManager } from '@holdfast/session-manager-sqlite';

export function options(report: (error: Error) => void): SqliteInfoSessionManager {
	//#region options
	const info = new SqliteInfoSessionManager('./sessions.db', { maxSessions: 10_000 });
	info.onerror = report;
	//#endregion options
	return info;
}
