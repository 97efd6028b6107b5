export type { RedisSource } from './redis-connection.js';
export { RedisInfoSessionManager, type RedisInfoSessionManagerOptions } from './redis-info-session-manager.js';
export { RedisStreamSessionManager, type RedisStreamSessionManagerOptions } from './redis-stream-session-manager.js';
