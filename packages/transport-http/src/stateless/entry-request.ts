import type { StatelessCall } from './stateless-call.js';

/**
 * What the SDK's entry reads of a request whose body is parsed: method and headers. A real `Request` would cost more
 * than all the checks.
 */
export class EntryRequest {
	readonly method = 'POST';
	readonly signal = undefined;
	readonly call: StatelessCall;

	constructor(call: StatelessCall) {
		this.call = call;
	}

	/** Returns the call of a request that the entry passes on. */
	static callOf(request: unknown): StatelessCall | undefined {
		return request instanceof EntryRequest ? request.call : undefined;
	}

	get headers(): { readonly get: (name: string) => string | null } {
		return { get: (name) => this.call.header(name) };
	}

	/** This request, as the entry's parameter is declared. */
	asRequest(): Request {
		return this as unknown as Request;
	}
}
