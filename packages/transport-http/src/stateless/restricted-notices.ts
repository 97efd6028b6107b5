import { type Audiences, admission, type SessionHost } from '@holdfast/transport/internal';
import type { ListenFilter } from './listen-filter.js';
import type { ListenEvent, ListenStream } from './listen-stream.js';

/** How long it takes until somebody is asked about again of whom nobody could say, in milliseconds: the first time. */
const RETRY_MS = 1_000;
/** And at most. */
const MAX_RETRY_MS = 30_000;

/**
 * Tells listen streams of resources that not everybody may hear of. Whose stream it is is asked before each notice, so
 * nobody hears more once they may not. While it is asked, of the notices of one resource the newest stands for all.
 */
export class RestrictedNotices {
	readonly #host: SessionHost;
	readonly #streamsOf: (uri: string) => ReadonlySet<ListenStream> | undefined;
	/** The resources that somebody is asked about, each with the notice that came meanwhile. */
	readonly #next = new Map<string, ListenEvent | undefined>();

	constructor(host: SessionHost, streamsOf: (uri: string) => ReadonlySet<ListenStream> | undefined) {
		this.#host = host;
		this.#streamsOf = streamsOf;
	}

	/** Tells those of a change who may hear of it. Returns `false` where everybody may: then it tells nobody. */
	tell(uri: string, event: ListenEvent): boolean {
		const isAsked = this.#next.has(uri);
		if (!isAsked && this.#host.audiences.of(uri, 'notice') === undefined) return false;
		this.#next.set(uri, event);
		if (!isAsked) this.#host.context.background(() => this.#run(uri));
		return true;
	}

	async #run(uri: string): Promise<void> {
		const { clock } = this.#host.context;
		let retryMs = RETRY_MS;
		let last: ListenEvent | undefined;
		let unknown: readonly ListenStream[] = [];
		for (;;) {
			const event = this.#next.get(uri);
			const open = this.#streamsOf(uri) ?? new Set();
			const candidates = event === undefined ? unknown.filter((stream) => open.has(stream)) : [...open];
			last = event ?? last;
			if (candidates.length === 0 || last === undefined) break;
			this.#next.set(uri, undefined);
			unknown = await this.#tell(uri, last, candidates);
			if (unknown.length === 0) continue;
			// A notice that is not told would leave its client with what is old.
			const waitMs = retryMs;
			await new Promise<void>((resolve) => clock.after(waitMs, resolve));
			retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
		}
		this.#next.delete(uri);
	}

	/** Returns those of whom nobody could say whether they may hear of it. */
	async #tell(uri: string, event: ListenEvent, candidates: readonly ListenStream[]): Promise<readonly ListenStream[]> {
		const isAdmitted = this.#host.audiences.of(uri, 'notice');
		const { admitted, unknown, error } = await admission(
			candidates,
			async ({ caller }) => isAdmitted?.(caller) ?? true,
		);
		for (const stream of admitted) if (stream.connection.open) stream.send(event);
		if (unknown.length > 0) this.#host.context.report(error);
		return unknown;
	}
}

/** Returns `filter` without the resources that `caller` may not hear of. Rejects where nobody can say. */
export async function admittedFilter(
	audiences: Audiences,
	filter: ListenFilter,
	caller: string | undefined,
): Promise<ListenFilter> {
	const { resourceSubscriptions: uris, ...others } = filter;
	if (uris === undefined || audiences.isOpen) return filter;
	const isAdmitted = async (uri: string) => audiences.of(uri, 'subscribe')?.(caller) ?? true;
	const { admitted, unknown, error } = await admission(uris, isAdmitted);
	if (unknown.length > 0) throw error;
	return admitted.length === 0 ? others : { ...others, resourceSubscriptions: admitted };
}
