/**
 * Returns where an address leads, such as that of a store, without what may be secret in it: whatever is before the
 * last `@`, and the query. What is no address, such as the path of a file, stays as it is. Never throws.
 */
export function placeOf(address: string): string {
	// No parser: an address is shown where it is wrong, too, and a `/`, `?` or `#` in its password may be why.
	const [, scheme, rest] = /^([^:/\\]*:\/*|\/\/)(.*)$/s.exec(address) ?? [];
	if (scheme === undefined || rest === undefined) return address;
	const login = rest.slice(0, rest.lastIndexOf('@') + 1);
	// A password, or a query that has an `@`: nobody can tell what is secret here.
	if (/[?#]/.test(login)) return `${scheme}…`;
	const place = rest.slice(login.length).replace(/[?#].*$/s, '');
	return login === '' ? `${scheme}${place}` : `${scheme}…@${place}`;
}
