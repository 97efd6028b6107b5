/** A value that may be at hand at once; callers that find it so need not wait a turn. */
export type MaybePromise<T> = T | Promise<T>;

/** Runs `next` with the value of `value`: now where it is at hand, otherwise once it is. */
export function whenReady<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
	return value instanceof Promise ? value.then(next) : next(value);
}
