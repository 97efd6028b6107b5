import type { InfoSessionManager } from '../contract/info-session-manager.js';
import { StateEntry, type StateSchema } from './state-entry.js';
import { StateMarks, type StateMarksOptions } from './state-marks.js';
import type { StateValue } from './state-value.js';
import { checkKey, StateValues } from './state-values.js';
import { WriteBehind } from './write-behind.js';

/**
 * The state of a session, shared by all nodes. Keys are case-sensitive, well-formed Unicode of 1 to 1,024 bytes;
 * `__meta__`, `__metadata__`, `metadata` and `meta` are reserved. An encoded value has at most 1 MiB (bytes count as
 * base64). Writing to a session that has ended throws `SessionManagerError` `no-such-session`; exceeding a limit throws
 * `limit`.
 *
 * @example
 * ```ts source="../../test/examples/session-state.examples.ts#getAndSet"
 * await session.state.set('step', 2n);
 * const step = await session.state.get('step'); // 2n: values keep their type
 * await session.state.delete('step');
 * ```
 */
export class SessionState extends StateValues {
	readonly #marks = new Map<string, StateMarks>();
	#writeBehind: WriteBehind | undefined;

	/**
	 * `writeBehind` writes marks in the background.
	 *
	 * @default a `WriteBehind` of its own
	 */
	constructor(info: InfoSessionManager, sessionId: string, writeBehind?: WriteBehind) {
		super(info, sessionId);
		this.#writeBehind = writeBehind;
	}

	/**
	 * Gives `key` a type and a schema that checks every value that is written or read. The schema belongs to this server;
	 * it is not stored.
	 *
	 * @example
	 * ```ts source="../../test/examples/session-state.examples.ts#define"
	 * const theme = session.state.define('theme', v.picklist(['light', 'dark']));
	 * await theme.set('dark');
	 * const chosen = (await theme.get()) ?? 'light'; // 'light' | 'dark'
	 * ```
	 */
	define<T extends StateValue>(key: string, schema: StateSchema<T>): StateEntry<T> {
		checkKey(key);
		return new StateEntry(this, key, schema);
	}

	/**
	 * Returns the marks stored under `key`: flags such as "this notice was sent", kept in memory and written in the
	 * background.
	 *
	 * @example
	 * ```ts source="../../test/examples/session-state.examples.ts#marks"
	 * const seen = session.state.marks('seen');
	 * if (await seen.add('release-notes-2')) sendReleaseNotes();
	 * ```
	 */
	marks(key: string, options?: StateMarksOptions): StateMarks {
		checkKey(key);
		const known = this.#marks.get(key);
		if (known !== undefined) return known;
		this.#writeBehind ??= new WriteBehind();
		const marks = new StateMarks(this, key, this.#writeBehind, options);
		this.#marks.set(key, marks);
		return marks;
	}

	/** Writes all marks that are not stored yet. */
	async flush(): Promise<void> {
		await Promise.all([...this.#marks.values()].map((marks) => marks.flush()));
	}
}
