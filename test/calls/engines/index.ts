import type { Engine } from './engine.ts';
import { memory } from './memory.ts';
import { redis } from './redis.ts';

/** Where another store is added: a file of its own, and a line here. */
export const engines = { redis, memory } satisfies Record<string, Engine>;

export type EngineName = keyof typeof engines;
