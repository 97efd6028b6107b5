import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { MaybePromise } from '@holdfast/session-manager';
import { hostNameOf, isLoopbackName } from './guard.js';

/** Whoever looks at the console. */
export interface Operator {
	/** What the audit calls them. */
	readonly name: string;
}

/** Says who sends a request to the console; `undefined` where that is nobody who may look at it. */
export type Authorize = (request: IncomingMessage) => MaybePromise<Operator | undefined>;

/** Lets in the browser that opens the console's address with `?token=` first, for as long as the process lives. */
export interface OneTimeToken {
	/** At least 32 characters that nobody can guess. */
	readonly oneTimeToken: string;
	/** What the audit calls whoever uses it. */
	readonly name: string;
}

/** What becomes of a request: it is let in, its sender is sent on with a cookie, or it is refused. */
export type Admission =
	| { readonly operator: Operator }
	| { readonly cookie: string }
	| { readonly refused: 'unknown' | 'remote' };

/** Returns what decides who may look at the console. */
export function admissionBy(
	authorize: Authorize | 'loopback' | OneTimeToken,
): (request: IncomingMessage, token: string | undefined) => MaybePromise<Admission> {
	if (authorize === 'loopback')
		return (request) => (isFromHere(request) ? { operator: { name: 'loopback' } } : { refused: 'remote' });
	if (typeof authorize === 'function')
		return async (request) => {
			const operator = await authorize(request);
			return typeof operator?.name === 'string' ? { operator } : { refused: 'unknown' };
		};
	const login = new OneTimeLogin(authorize);
	return (request, token) => login.admit(request, token);
}

/**
 * Whether a request comes straight from a program of this machine. A proxy on this machine says for whom it asks, and
 * names the host that its client named.
 */
function isFromHere(request: IncomingMessage): boolean {
	const address = request.socket.remoteAddress ?? '';
	const isLoopback = /^(::ffff:)?127\.|^::1$/.test(address);
	const isForwarded = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'].some(
		(name) => request.headers[name] !== undefined,
	);
	return isLoopback && !isForwarded && isLoopbackName(hostNameOf(request));
}

class OneTimeLogin {
	readonly #operator: Operator;
	/** Cookies are for every port of a host, so the name is of this console alone. */
	readonly #name: string;
	/** The hash of the token, and of the cookie once there is one. */
	#token: Buffer | undefined;
	#cookie: Buffer | undefined;

	constructor({ oneTimeToken, name }: OneTimeToken) {
		this.#operator = { name };
		this.#token = hashOf(oneTimeToken);
		this.#name = `holdfast-console-${this.#token.toString('hex', 0, 4)}`;
	}

	admit(request: IncomingMessage, token: string | undefined): Admission {
		if (token !== undefined && isSame(this.#token, token)) {
			this.#token = undefined;
			const value = randomBytes(32).toString('base64url');
			this.#cookie = hashOf(value);
			return { cookie: `${this.#name}=${value}; HttpOnly; SameSite=Strict` };
		}
		const given = (request.headers.cookie ?? '')
			.split(';')
			.map((pair) => pair.trim())
			.filter((pair) => pair.startsWith(`${this.#name}=`))
			.map((pair) => pair.slice(this.#name.length + 1));
		return given.some((value) => isSame(this.#cookie, value)) ? { operator: this.#operator } : { refused: 'unknown' };
	}
}

function hashOf(text: string): Buffer {
	return createHash('sha256').update(text).digest();
}

function isSame(hash: Buffer | undefined, text: string): boolean {
	return hash !== undefined && timingSafeEqual(hash, hashOf(text));
}
