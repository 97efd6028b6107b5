export function holdfastHandle(_m: unknown): never {
	throw new Error('not yet');
}
