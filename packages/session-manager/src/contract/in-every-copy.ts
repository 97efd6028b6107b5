/**
 * Makes `instanceof` of `Known`, which packages name `name`, take the instances of another copy of the class, too: a
 * transport and a manager of one program may have one each. Classes that extend it stay their own.
 */
export function knowInEveryCopy(Known: { readonly prototype: object }, name: string): void {
	const mark = Symbol.for(`holdfast.${name}`);
	Object.defineProperty(Known.prototype, mark, { value: true });
	Object.defineProperty(Known, Symbol.hasInstance, {
		value(this: unknown, value: unknown): boolean {
			if (this === Known) return typeof value === 'object' && value !== null && mark in value;
			return Function.prototype[Symbol.hasInstance].call(this, value);
		},
	});
}
