/** How long the doctor waits. */
export interface Patience {
	/** How long a stream is watched, in milliseconds. */
	readonly watchMs: number;
	/** How long the first byte of a stream may take, in milliseconds. */
	readonly firstByteMs: number;
	/** How long an idle stream may carry nothing, in milliseconds. */
	readonly silentMs: number;
}
