/** Returns the path with its query of a request's target or URL, without parsing the rest. */
export function targetOf(url: string): string {
	if (url.startsWith('/') || !url.includes('://')) return url;
	const start = url.indexOf('/', url.indexOf('//') + 2);
	return start === -1 ? '/' : url.slice(start);
}

/** Returns the host and port in a target in absolute form; `undefined` for any other target. */
export function authorityIn(target: string): string | undefined {
	return target.startsWith('/') ? undefined : /^https?:\/\/([^/?#]*)/i.exec(target)?.[1];
}

/** Returns a path without a slash at its end. */
export function withoutSlash(path: string): string {
	return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Returns whether `target`, a path with its query, names `path`, with or without a slash at the end. */
export function isAtPath(target: string, path: string): boolean {
	if (!target.startsWith(path)) return false;
	const end = target[path.length] === '/' && path !== '/' ? path.length + 1 : path.length;
	return target.length === end || target[end] === '?';
}
