export type { RedisSource } from './client.js';
export { RedisInfoSessionManager, type RedisInfoSessionManagerOptions } from './redis-info-session-manager.js';
export { RedisStreamSessionManager, type RedisStreamSessionManagerOptions } from './redis-stream-session-manager.js';
