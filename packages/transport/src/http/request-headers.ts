import { SUPPORTED_PROTOCOL_VERSIONS } from '../protocol/protocol-versions.js';
import type { HttpExchange } from './exchange.js';
import { type HttpProblem, problems } from './problems.js';

/**
 * Returns whether `Accept` lets `type` through, by the most specific range that matches it (RFC 9110, 12.5.1). `q=0`
 * excludes it.
 */
export function accepts(accept: string | undefined, type: string): boolean {
	if (accept === undefined) return false;
	// This is what the SDKs' clients send.
	if (accept === 'application/json, text/event-stream' || accept === type) return true;
	const ranges = ['*/*', `${type.slice(0, type.indexOf('/'))}/*`, type];
	let specificity = -1;
	let accepted = false;
	for (const range of accept.toLowerCase().split(',')) {
		const [name = '', ...parameters] = range.split(';').map((part) => part.trim());
		const rank = ranges.indexOf(name);
		if (rank === -1 || rank < specificity) continue;
		const excluded = parameters.some((parameter) => /^q\s*=\s*0(\.0*)?$/.test(parameter));
		accepted = !excluded || (rank === specificity && accepted);
		specificity = rank;
	}
	return accepted;
}

/** Returns whether `Content-Encoding` names something that must be decoded. */
export function isEncoded(contentEncoding: string | null | undefined): boolean {
	return Boolean(contentEncoding) && contentEncoding?.trim().toLowerCase() !== 'identity';
}

/** Returns whether `Content-Type` is JSON, with or without parameters. */
export function isJsonContent(contentType: string | undefined): boolean {
	if (contentType === undefined || contentType === 'application/json') return contentType !== undefined;
	const semicolon = contentType.indexOf(';');
	return (semicolon === -1 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase() === 'application/json';
}

/**
 * Returns why the revision that the request names is refused, or `undefined`. A request that names none means the
 * negotiated one (2025-11-25, Protocol Version Header).
 */
export function checkProtocolVersion(exchange: HttpExchange, negotiated: string): HttpProblem | undefined {
	const version = exchange.header('mcp-protocol-version');
	if (version === undefined || version === negotiated || SUPPORTED_PROTOCOL_VERSIONS.includes(version))
		return undefined;
	return problems.unsupportedVersion;
}
