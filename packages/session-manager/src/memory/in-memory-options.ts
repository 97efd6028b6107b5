import { bytes, clock, count, group, ms } from '../options/option-kinds.js';

/** The options of both in-memory managers: one object may serve both. */
export const inMemoryOptions = {
	maxSessions: count,
	maxBytes: bytes,
	sweepIntervalMs: ms,
	history: group('{ maxEvents, maxBytes, maxAgeMs }', { maxEvents: count, maxBytes: bytes, maxAgeMs: ms }),
	maxBufferedBytes: bytes,
	clock,
};
