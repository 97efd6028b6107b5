import { bytes, clock, count, group, ms } from '@holdfast/session-manager/internal';

/** The options of both managers: one object may serve both. */
export const sqliteOptions = {
	maxSessions: count,
	history: group('{ maxEvents, maxBytes, maxAgeMs }', { maxEvents: count, maxBytes: bytes, maxAgeMs: ms }),
	maxBufferedBytes: bytes,
	clock,
};
