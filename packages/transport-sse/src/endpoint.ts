import { isSessionId, withoutSlash } from '@holdfast/transport/internal';

/** Where clients POST their messages: the path on this node, and the URI that clients are given. */
export class Endpoint {
	/** The path on which this node serves messages. */
	readonly path: string;
	readonly #prefix: string;

	constructor(path: string, publicEndpoint: string) {
		if (!/^\/[^?#]*$/.test(path)) throw new TypeError(`endpoint must be a path that begins with /, not '${path}'.`);
		this.path = withoutSlash(path);
		const isUri = /^(\/(?!\/)|https?:\/\/)[\x21-\x7e]*$/.test(publicEndpoint) && !publicEndpoint.includes('#');
		if (!isUri)
			throw new TypeError(`publicEndpoint must be a path or a URL without a fragment, not '${publicEndpoint}'.`);
		this.#prefix = `${publicEndpoint}${publicEndpoint.includes('?') ? '&' : '?'}sessionId=`;
	}

	/** Returns the URI that the client of a session is given. */
	uriOf(sessionId: string): string {
		return this.#prefix + encodeURIComponent(sessionId);
	}

	/**
	 * Returns the session id in the query of `target`; `undefined` where there is none, and an empty string where the
	 * value cannot be an id.
	 */
	sessionIdIn(target: string): string | undefined {
		const query = target.indexOf('?');
		const id = query === -1 ? null : new URLSearchParams(target.slice(query)).get('sessionId');
		if (id === null || id === '') return undefined;
		return isSessionId(id) ? id : '';
	}
}
