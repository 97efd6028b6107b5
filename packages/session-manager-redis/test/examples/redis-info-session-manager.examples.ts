import { RedisInfoSessionManager } from '@holdfast/session-manager-redis';
import { Redis } from 'ioredis';

export function options(report: (error: Error) => void): RedisInfoSessionManager {
	//#region options
	const redis = new Redis('redis://localhost:6379');
	const info = new RedisInfoSessionManager(redis, { keyPrefix: 'shop:', maxSessions: 100_000 });
	info.onerror = report;
	//#endregion options
	return info;
}
