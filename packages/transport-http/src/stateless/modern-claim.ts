import type { HttpExchange } from '@holdfast/transport/internal';

/** The first revision without sessions. Revisions are dates, so those that follow it compare as greater. */
const FIRST_STATELESS = '2026-07-28';

/** Where a message names the revision that it is written in (2026-07-28, Base Protocol, `_meta`). */
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';

/** Returns whether the headers name a revision without sessions. */
export function namesStateless(exchange: HttpExchange): boolean {
	const version = exchange.header('mcp-protocol-version');
	return version !== undefined && version.trim() >= FIRST_STATELESS;
}

/**
 * Returns whether a POST is to be served without a session: its headers say so, or a message of its body claims a
 * revision of its own, be the claim valid or not. An `initialize` opens a session unless its claim has none.
 */
export function claimsStateless(exchange: HttpExchange, body: unknown): boolean {
	if (Array.isArray(body) ? body.some(hasClaim) : hasClaim(body)) return true;
	return namesStateless(exchange);
}

function hasClaim(message: unknown): boolean {
	if (!isObject(message) || !isObject(message['params'])) return false;
	const meta = message['params']['_meta'];
	if (!isObject(meta) || !(VERSION_KEY in meta)) return false;
	const version = meta[VERSION_KEY];
	return message['method'] !== 'initialize' || (typeof version === 'string' && version >= FIRST_STATELESS);
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null;
}
