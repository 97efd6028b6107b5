import { isSessionId } from '@holdfast/transport/internal';

/** Where messages are POSTed to: the path here, and what clients are told of it. */
export class Endpoint {
	/** The path at which this node takes messages. */
	readonly path: string;
	readonly #prefix: string;

	constructor(path: string, publicEndpoint: string) {
		if (!/^\/[^?#]*$/.test(path)) throw new TypeError(`The path of the endpoint begins with /, unlike '${path}'.`);
		this.path = path;
		const isUri = /^(\/(?!\/)|https?:\/\/)[\x21-\x7e]*$/.test(publicEndpoint) && !publicEndpoint.includes('#');
		if (!isUri) throw new TypeError(`An endpoint is a path or a URL without a fragment, not '${publicEndpoint}'.`);
		this.#prefix = `${publicEndpoint}${publicEndpoint.includes('?') ? '&' : '?'}sessionId=`;
	}

	/** What the client of a session is told. */
	of(sessionId: string): string {
		return this.#prefix + encodeURIComponent(sessionId);
	}

	/** The session that a request for `target` names; `undefined` for none. Text that cannot be an id is empty. */
	sessionIdIn(target: string): string | undefined {
		const query = target.indexOf('?');
		const id = query === -1 ? null : new URLSearchParams(target.slice(query)).get('sessionId');
		if (id === null || id === '') return undefined;
		return isSessionId(id) ? id : '';
	}
}
