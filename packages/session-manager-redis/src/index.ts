export { RedisInfoSessionManager, type RedisInfoSessionManagerOptions } from './redis-info-session-manager.js';
export {
	type RedisSessionManager,
	type RedisSessionManagerOptions,
	redisSessionManager,
} from './redis-session-manager.js';
export { RedisStreamSessionManager, type RedisStreamSessionManagerOptions } from './redis-stream-session-manager.js';
export type { RedisSource } from './source.js';
