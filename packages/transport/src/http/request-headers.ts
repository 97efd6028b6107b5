import { SUPPORTED_PROTOCOL_VERSIONS } from '../protocol/protocol-versions.js';
import type { HttpExchange } from './exchange.js';
import { type HttpProblem, problems } from './problems.js';

/** Returns whether `Accept` lists `type`, itself or through a wildcard. `q=0` excludes it. */
export function accepts(accept: string | undefined, type: string): boolean {
	if (accept === undefined) return false;
	// This is what the SDKs' clients send.
	if (accept === 'application/json, text/event-stream') return true;
	const wildcard = `${type.slice(0, type.indexOf('/'))}/*`;
	for (const range of accept.toLowerCase().split(',')) {
		const [name = '', ...parameters] = range.split(';').map((part) => part.trim());
		if (name !== type && name !== wildcard && name !== '*/*') continue;
		if (!parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) return true;
	}
	return false;
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
