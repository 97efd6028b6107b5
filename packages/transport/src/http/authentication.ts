import type { MaybePromise } from '@holdfast/session-manager';
import { whenReady } from '@holdfast/session-manager/custom';
import { ErrorCode } from '../protocol/json-rpc.js';
import type { AuthInfo } from '../protocol/sdk.js';
import type { HttpExchange } from './exchange.js';
import { checkPrincipal, mayUse } from './principal.js';
import { type HttpProblem, problems } from './problems.js';

/** A request before authentication. */
export interface AuthRequest {
	readonly method: string;
	/** Returns the value of a header by its lower-case name. */
	readonly header: (name: string) => string | undefined;
}

/**
 * Why a request is refused: 401 asks for a token or a better one, 403 says that this one does not allow the request,
 * 503 that tokens cannot be verified now.
 */
export interface AuthRefusal {
	readonly status: 401 | 403 | 503;
	/** The reason, which the client sees. */
	readonly message: string;
	/**
	 * An error code of RFC 6750, section 3.1, such as `invalid_token`; leave it out for a request without a credential.
	 */
	readonly error?: string;
	/** The scopes that the request needs, separated by spaces. */
	readonly scope?: string;
}

/**
 * Authenticates a request. Returns an `AuthInfo`, which SDK handlers receive too; a refusal; or `undefined` for an
 * anonymous sender, now or as any thenable. `AuthInfo.extra.iss` and `extra.sub` name the principal that a session is
 * bound to. A throw, a rejection or any other result, `null` and `true` among them, gives the client 500 and is
 * reported.
 */
export type Authenticate = (request: AuthRequest) => MaybePromise<AuthInfo | AuthRefusal | undefined>;

/** Options for authentication and for the ownership of sessions. */
export interface AuthenticationOptions {
	/**
	 * Authenticates each request.
	 * @default whatever the caller verified: `request.auth` of `handle`, `authInfo` of `respond`
	 */
	readonly authenticate?: Authenticate;
	/**
	 * The URL of the protected resource metadata, from which clients learn how to get a token (RFC 9728, section 5.1).
	 * @default none: `WWW-Authenticate` names no URL
	 */
	readonly resourceMetadataUrl?: string;
	/**
	 * What a client gets that names a session of another principal: 403, or with `not-found` 404 as if it were unknown.
	 * @default 'forbidden'
	 */
	readonly foreignSession?: 'forbidden' | 'not-found';
}

/** Authenticates requests, and keeps each session to its owner. */
export class Authentication {
	readonly #authenticate: Authenticate | undefined;
	readonly #resourceMetadataUrl: string | undefined;
	readonly #foreignSession: HttpProblem;

	constructor(options: AuthenticationOptions) {
		this.#authenticate = options.authenticate;
		this.#resourceMetadataUrl = options.resourceMetadataUrl;
		this.#foreignSession = options.foreignSession === 'not-found' ? problems.sessionNotFound : problems.foreignSession;
	}

	/** Authenticates the request and sets its `authInfo`. Returns why it is refused, or `undefined`. */
	check(exchange: HttpExchange): MaybePromise<HttpProblem | undefined> {
		if (this.#authenticate === undefined) {
			checkPrincipal(exchange.authInfo);
			return undefined;
		}
		const result: MaybePromise<unknown> = this.#authenticate({
			method: exchange.method,
			header: (name) => exchange.header(name),
		});
		return whenReady(result, (settled) => this.#applyResult(exchange, settled));
	}

	/** Returns why the sender may not use a session of `owner`, or `undefined`. */
	checkOwner(exchange: HttpExchange, owner: string | undefined): HttpProblem | undefined {
		return mayUse(owner, exchange) ? undefined : this.#foreignSession;
	}

	#applyResult(exchange: HttpExchange, result: unknown): HttpProblem | undefined {
		if (isRefusal(result)) return this.#refusalProblem(result);
		if (result !== undefined && !isAuthInfo(result)) {
			throw new TypeError(
				'authenticate must return an AuthInfo (token, clientId, scopes), a refusal with status 401, 403 or 503 and a ' +
					'message, or undefined for an anonymous sender.',
			);
		}
		checkPrincipal(result);
		exchange.authInfo = result;
		return undefined;
	}

	#refusalProblem({ status, message, error, scope }: AuthRefusal): HttpProblem {
		const parameters = Object.entries({
			error,
			error_description: error === undefined ? undefined : message,
			scope,
			resource_metadata: this.#resourceMetadataUrl,
		}).flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${quotable(value)}"`]));
		const challenge = parameters.length === 0 ? 'Bearer' : `Bearer ${parameters.join(', ')}`;
		const headers = status === 503 ? { 'retry-after': '1' } : { 'www-authenticate': challenge };
		return { status, code: ErrorCode.REFUSED, message: `${titles[status]}: ${message}`, headers };
	}
}

/** Returns whether a result is a refusal; one with another status is not, and no `AuthInfo` either. */
function isRefusal(result: unknown): result is AuthRefusal {
	if (typeof result !== 'object' || result === null || !('status' in result)) return false;
	const { status, message, error, scope } = result as Partial<AuthRefusal>;
	return (
		(status === 401 || status === 403 || status === 503) &&
		typeof message === 'string' &&
		[error, scope].every((text) => text === undefined || typeof text === 'string')
	);
}

function isAuthInfo(result: unknown): result is AuthInfo {
	if (typeof result !== 'object' || result === null || 'status' in result) return false;
	const { token, clientId, scopes, expiresAt, extra } = result as Partial<AuthInfo>;
	return (
		typeof token === 'string' &&
		typeof clientId === 'string' &&
		Array.isArray(scopes) &&
		scopes.every((scope) => typeof scope === 'string') &&
		(expiresAt === undefined || Number.isFinite(expiresAt)) &&
		(extra === undefined || (typeof extra === 'object' && extra !== null))
	);
}

const titles = { 401: 'Unauthorized', 403: 'Forbidden', 503: 'Service Unavailable' };

/** Replaces what a quoted string in a header cannot hold. */
function quotable(text: string): string {
	return text.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
