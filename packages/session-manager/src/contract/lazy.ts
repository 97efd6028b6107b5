/**
 * Returns a function that makes its value at the first call, and returns the same one from then on. Random bytes are
 * drawn this way: Cloudflare Workers refuses them outside of a request.
 */
export function lazy<T extends object | string>(make: () => T): () => T {
	let made: T | undefined;
	return () => {
		made ??= make();
		return made;
	};
}
