import type { MaybePromise } from '@holdfast/session-manager';
import { whenReady } from '@holdfast/session-manager/custom';
import { ErrorCode } from '../protocol/json-rpc.js';
import type { AuthInfo } from '../protocol/sdk.js';
import type { HttpExchange } from './exchange.js';
import { mayUse } from './principal.js';
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
 * anonymous sender. `AuthInfo.extra.iss` and `extra.sub` name the principal that a session is bound to. A throw or a
 * rejection gives the client 500.
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
		if (this.#authenticate === undefined) return undefined;
		const result = this.#authenticate({ method: exchange.method, header: (name) => exchange.header(name) });
		return whenReady(result, (settled) => this.#applyResult(exchange, settled));
	}

	/** Returns why the sender may not use a session of `owner`, or `undefined`. */
	checkOwner(exchange: HttpExchange, owner: string | undefined): HttpProblem | undefined {
		return mayUse(owner, exchange) ? undefined : this.#foreignSession;
	}

	#applyResult(exchange: HttpExchange, result: AuthInfo | AuthRefusal | undefined): HttpProblem | undefined {
		if (result !== undefined && 'status' in result) return this.#refusalProblem(result);
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

const titles = { 401: 'Unauthorized', 403: 'Forbidden', 503: 'Service Unavailable' };

/** Replaces what a quoted string in a header cannot hold. */
function quotable(text: string): string {
	return text.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
