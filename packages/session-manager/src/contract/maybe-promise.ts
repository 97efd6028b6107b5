/**
 * A value or a promise; plain values are used synchronously. Anything thenable counts as a promise, whatever realm or
 * library made it.
 */
export type MaybePromise<T> = T | PromiseLike<T>;

/** Returns whether `value` must be awaited: whether it has a `then` method, as `await` decides. */
export function isThenable<T>(value: MaybePromise<T>): value is PromiseLike<T> {
	return (
		((typeof value === 'object' && value !== null) || typeof value === 'function') &&
		typeof (value as { then?: unknown }).then === 'function'
	);
}

/** Calls `next` with the value: synchronously for a plain value, otherwise once the promise resolves. */
export function whenReady<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
	return isThenable(value) ? Promise.resolve(value).then(next) : next(value);
}
