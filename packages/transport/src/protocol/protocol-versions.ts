/**
 * The revisions that have sessions, newest first. 2024-11-05 has its own transport, HTTP+SSE, but its clients may
 * negotiate it over Streamable HTTP too.
 */
export const SUPPORTED_PROTOCOL_VERSIONS: readonly string[] = Object.freeze([
	'2025-11-25',
	'2025-06-18',
	'2025-03-26',
	'2024-11-05',
]);

/** Returns whether clients of `version` understand events without data, so that streams can be primed and polled. */
export function canBePrimed(version: string): boolean {
	return version >= '2025-11-25';
}

/** Returns whether `version` has JSON-RPC batches; 2025-06-18 removed them. */
export function hasBatches(version: string): boolean {
	return version < '2025-06-18';
}
