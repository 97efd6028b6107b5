/** Returns `thrown` if it is an `Error`, otherwise an `Error` with its text. */
export function toError(thrown: unknown): Error {
	return thrown instanceof Error ? thrown : new Error(String(thrown));
}
