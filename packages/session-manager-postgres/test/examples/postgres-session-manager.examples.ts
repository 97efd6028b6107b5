import { type PostgresSessionManager, postgresSessionManager } from '@holdfast/session-manager-postgres';

export function pair(report: (error: Error) => void): PostgresSessionManager {
	//#region pair
	const sessionManager = postgresSessionManager('postgres://localhost/shop', { schema: 'mcp' });
	sessionManager.streams.onerror = sessionManager.info.onerror = report;
	//#endregion pair
	return sessionManager;
}
