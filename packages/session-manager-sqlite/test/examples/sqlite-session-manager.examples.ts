import { type SqliteSessionManager, sqliteSessionManager } from '@holdfast/session-manager-sqlite';

export function pair(report: (error: Error) => void): SqliteSessionManager {
	//#region pair
	const sessionManager = sqliteSessionManager('./sessions.db');
	sessionManager.streams.onerror = sessionManager.info.onerror = report;
	//#endregion pair
	return sessionManager;
}
