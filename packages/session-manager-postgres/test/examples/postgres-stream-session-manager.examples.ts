import { PostgresStreamSessionManager } from '@holdfast/session-manager-postgres';

export function options(report: (error: Error) => void): PostgresStreamSessionManager {
	//#region options
	const streams = new PostgresStreamSessionManager('postgres://localhost/shop', { history: { maxAgeMs: 60_000 } });
	streams.onerror = report;
	//#endregion options
	return streams;
}
