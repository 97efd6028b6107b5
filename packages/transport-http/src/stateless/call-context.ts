import { createHash } from 'node:crypto';
import type { AuthInfo, SdkServer } from '@holdfast/transport';
import { principalOf } from '@holdfast/transport/internal';

/** What a handler of either official SDK is given besides its arguments, as far as it says who calls. */
export interface CallContext {
	readonly sessionId?: string | undefined;
	/** Of SDK v1. */
	readonly authInfo?: AuthInfo | undefined;
	/** Of SDK v1. */
	readonly signal?: AbortSignal | undefined;
	/** Of SDK v2. */
	readonly http?: { readonly authInfo?: AuthInfo | undefined } | undefined;
	/** Of SDK v2. */
	readonly mcpReq?:
		| {
				readonly envelope?: object | undefined;
				readonly signal: AbortSignal;
				// biome-ignore lint/suspicious/noExplicitAny: v2 declares overloads; one shape that they all fit.
				readonly send?: (...args: any[]) => Promise<any>;
		  }
		| undefined;
}

/** The extension that tasks are (SEP-2663). */
export const TASKS = 'io.modelcontextprotocol/tasks';
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

/** A call that came without a session. */
export interface StatelessRequest {
	/** What the function that makes servers made for it. */
	readonly product: SdkServer;
	/** The tool that is called, if one is. */
	readonly tool: string | undefined;
	/** What its client says it can. */
	readonly capabilities: object;
}

/** Knows the calls that came without a session, whatever else says the same: any client can write it into any call. */
export class StatelessCalls {
	/** By what their clients say they can, as it was parsed: the SDK passes the very object on to handlers. */
	readonly #byCapabilities = new WeakMap<object, StatelessRequest>();

	/** Remembers a request that goes to `product`. */
	add(message: unknown, product: SdkServer): void {
		const params = member(message, 'params');
		const capabilities = member(member(params, '_meta'), CAPABILITIES);
		if (typeof capabilities !== 'object' || capabilities === null) return;
		const name = member(message, 'method') === 'tools/call' ? member(params, 'name') : undefined;
		const tool = typeof name === 'string' ? name : undefined;
		this.#byCapabilities.set(capabilities, { product, tool, capabilities });
	}

	/** Returns the one of them that a handler was given this for; `undefined` where it was none. */
	of({ mcpReq }: CallContext): StatelessRequest | undefined {
		const capabilities = member(mcpReq?.envelope, CAPABILITIES);
		if (typeof capabilities !== 'object' || capabilities === null) return undefined;
		return this.#byCapabilities.get(capabilities);
	}
}

/** Returns whether the client of a request with this `_meta` can be given tasks. */
export function declaresTasks(meta: unknown): boolean {
	const capabilities = member(meta, CAPABILITIES);
	return member(member(capabilities, 'extensions'), TASKS) !== undefined;
}

/**
 * Returns whom what a call leaves in the store belongs to: issuer and subject, or the credential where the token names
 * nobody; `undefined` where nothing is known of the caller.
 */
export function callerOf(authInfo: AuthInfo | undefined): string | undefined {
	const principal = principalOf(authInfo);
	if (principal !== undefined || !authInfo?.token) return principal;
	return `credential:${createHash('sha256').update(authInfo.token).digest('base64url')}`;
}

/** Returns what a handler's context says of its caller. */
export function authInfoOf({ http, authInfo }: CallContext): AuthInfo | undefined {
	return http?.authInfo ?? authInfo;
}

function member(value: unknown, name: string): unknown {
	return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
