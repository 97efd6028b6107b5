import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { Cluster } from 'ioredis';

export function options(report: (error: Error) => void): RedisStreamSessionManager {
	//#region options
	const redis = new Cluster([{ host: 'redis-1', port: 6379 }]);
	const streams = new RedisStreamSessionManager(redis, { keyPrefix: 'shop:', history: { maxAgeMs: 60_000 } });
	streams.onerror = report;
	//#endregion options
	return streams;
}
