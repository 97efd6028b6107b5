import type { Engine } from './engine.ts';
import { memory } from './memory.ts';
import { postgres } from './postgres.ts';
import { redis } from './redis.ts';
import { sqlite } from './sqlite.ts';

/** Where another store is added: a file of its own, and a line here. */
export const engines = { redis, postgres, memory, sqlite } satisfies Record<string, Engine>;

export type EngineName = keyof typeof engines;
