export function holdfastRespond(_m: unknown): never {
	throw new Error('not yet');
}
