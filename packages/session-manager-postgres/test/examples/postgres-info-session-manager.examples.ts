import { PostgresInfoSessionManager } from '@holdfast/session-manager-postgres';

export function options(report: (error: Error) => void): PostgresInfoSessionManager {
	//#region options
	const info = new PostgresInfoSessionManager('postgres://localhost/shop', { schema: 'mcp', maxSessions: 100_000 });
	info.onerror = report;
	//#endregion options
	return info;
}
