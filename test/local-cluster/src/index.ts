export { type Balancer, startCaddy, startHaproxy } from './balancers.js';
export { findProgram } from './find-program.js';
export { type Nats, startNats } from './nats.js';
export { type Nginx, startNginx } from './nginx.js';
export { NodeProcess } from './node-process.js';
export { type Postgres, startPostgres } from './postgres.js';
export type { Ended } from './program.js';
export { type Redis, startRedis } from './redis.js';
