import type { MaybePromise } from '@holdfast/session-manager';
import { whenReady } from '@holdfast/session-manager/custom';
import { ErrorCode } from '../protocol/json-rpc.js';
import type { AuthInfo } from '../protocol/sdk.js';
import type { HttpExchange } from './exchange.js';
import { mayUse } from './principal.js';
import { type HttpProblem, problems } from './problems.js';

/** A request before anybody is known to have sent it. */
export interface AuthRequest {
	readonly method: string;
	/** The value of a header by its lower-case name. */
	readonly header: (name: string) => string | undefined;
}

/** Why a request is refused: 401 asks for a (better) token, 403 says that this one may not, 503 that nobody can tell now. */
export interface AuthRefusal {
	readonly status: 401 | 403 | 503;
	/** What the client and its user may know of the reason. */
	readonly message: string;
	/** An error code of RFC 6750, section 3.1, such as `invalid_token`; none for a request without any credential. */
	readonly error?: string;
	/** The scopes that a request of this kind takes, separated by spaces. */
	readonly scope?: string;
}

/**
 * Says who sends a request: an `AuthInfo`, which SDK handlers get too; a refusal; or nothing for a sender who stays anonymous.
 * `AuthInfo.extra.iss` and `extra.sub` name the principal that a session is bound to. An error that it throws answers 500.
 */
export type Authenticate = (request: AuthRequest) => MaybePromise<AuthInfo | AuthRefusal | undefined>;

/** Options about who may do what. */
export interface AuthenticationOptions {
	/** Says who sends each request (default: whoever called the transport has said so, or nobody is known). */
	readonly authenticate?: Authenticate;
	/** Where clients learn how to get a token: the URL of the protected resource metadata (RFC 9728, section 5.1). */
	readonly resourceMetadataUrl?: string;
	/** What a session of somebody else looks like: 403, or as if there were none (default `forbidden`). */
	readonly foreignSession?: 'forbidden' | 'not-found';
}

/** Knows who sends a request, and keeps sessions to those whom they belong to. */
export class Authentication {
	readonly #authenticate: Authenticate | undefined;
	readonly #resourceMetadataUrl: string | undefined;
	readonly #foreignSession: HttpProblem;

	constructor(options: AuthenticationOptions) {
		this.#authenticate = options.authenticate;
		this.#resourceMetadataUrl = options.resourceMetadataUrl;
		this.#foreignSession = options.foreignSession === 'not-found' ? problems.sessionNotFound : problems.foreignSession;
	}

	/** Finds out who sends the request. Answers what speaks against serving it. */
	check(exchange: HttpExchange): MaybePromise<HttpProblem | undefined> {
		if (this.#authenticate === undefined) return undefined;
		const result = this.#authenticate({ method: exchange.method, header: (name) => exchange.header(name) });
		return whenReady(result, (settled) => this.#take(exchange, settled));
	}

	/** What speaks against using a session that belongs to `owner`. */
	checkOwner(exchange: HttpExchange, owner: string | undefined): HttpProblem | undefined {
		return mayUse(owner, exchange) ? undefined : this.#foreignSession;
	}

	#take(exchange: HttpExchange, result: AuthInfo | AuthRefusal | undefined): HttpProblem | undefined {
		if (result !== undefined && 'status' in result) return this.#problem(result);
		exchange.authInfo = result;
		return undefined;
	}

	#problem({ status, message, error, scope }: AuthRefusal): HttpProblem {
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

/** What may stand in a quoted string of a header. */
function quotable(text: string): string {
	return text.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
