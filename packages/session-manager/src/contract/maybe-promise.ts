/** A value or a promise; plain values are used synchronously. Whatever is thenable counts as a promise, of any realm or library. */
export type MaybePromise<T> = T | PromiseLike<T>;

/** Whether `value` has to be awaited: whether it has a `then`, as `await` decides. */
export function isThenable<T>(value: MaybePromise<T>): value is PromiseLike<T> {
	return (
		((typeof value === 'object' && value !== null) || typeof value === 'function') &&
		typeof (value as { then?: unknown }).then === 'function'
	);
}

/** Runs `next` with the value of `value`: now for a plain value, otherwise once it resolves. */
export function whenReady<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
	return isThenable(value) ? Promise.resolve(value).then(next) : next(value);
}
