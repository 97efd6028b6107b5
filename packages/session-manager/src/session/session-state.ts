import type { InfoSessionManager } from '../contract/info-session-manager.js';
import { StateEntry, type StateSchema } from './state-entry.js';
import { StateMarks, type StateMarksOptions } from './state-marks.js';
import type { StateValue } from './state-value.js';
import { checkKey, StateValues } from './state-values.js';
import { WriteBehind } from './write-behind.js';

/**
 * What a session remembers, on all nodes alike. Keys are case-sensitive, 1 to 1,024 bytes; `__meta__`, `__metadata__`,
 * `metadata` and `meta` are reserved. A value is at most 1 MiB of text (bytes count as base64). Writes to a session that has ended throw
 * `SessionManagerError` `no-such-session`; a bound that is passed throws `limit`.
 */
export class SessionState extends StateValues {
	readonly #marks = new Map<string, StateMarks>();
	#writeBehind: WriteBehind | undefined;

	/** `writeBehind` writes in the background what may wait (default: one of its own). */
	constructor(info: InfoSessionManager, sessionId: string, writeBehind?: WriteBehind) {
		super(info, sessionId);
		this.#writeBehind = writeBehind;
	}

	/** Gives `key` a type and a schema that checks what is written and read. The schema is this server's; it is not stored. */
	define<T extends StateValue>(key: string, schema: StateSchema<T>): StateEntry<T> {
		checkKey(key);
		return new StateEntry(this, key, schema);
	}

	/** Marks kept under `key`, in memory and written in the background: "was this already sent to this session?". */
	marks(key: string, options?: StateMarksOptions): StateMarks {
		checkKey(key);
		const known = this.#marks.get(key);
		if (known !== undefined) return known;
		this.#writeBehind ??= new WriteBehind();
		const marks = new StateMarks(this, key, this.#writeBehind, options);
		this.#marks.set(key, marks);
		return marks;
	}

	/** Writes what waits to be written. */
	async flush(): Promise<void> {
		await Promise.all([...this.#marks.values()].map((marks) => marks.flush()));
	}
}
