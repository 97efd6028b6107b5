import {
	type ChangeListener,
	type HttpProblem,
	type JsonRpcNotification,
	listenToChanges,
	problems,
	RESOURCES_CHANGED_OF,
	type SessionHost,
	Tally,
} from '@holdfast/transport/internal';
import type { ListenFilter } from './listen-filter.js';
import { type ListenEvent, type ListenStream, listenEvent } from './listen-stream.js';
import { RestrictedNotices } from './restricted-notices.js';

/** How many streams one principal may have. */
export interface ListenLimits {
	readonly maxPerPrincipal: number;
}

const listMethods = {
	toolsListChanged: 'notifications/tools/list_changed',
	promptsListChanged: 'notifications/prompts/list_changed',
	resourcesListChanged: 'notifications/resources/list_changed',
} as const;

type ListName = keyof typeof listMethods;

const LIST_NAMES = Object.keys(listMethods) as ListName[];
const UPDATED = 'notifications/resources/updated';

/** How much of the heap what all streams of a node ask to hear of may take together, in bytes, about. */
const MAX_SUBJECT_BYTES = 64 * 1024 * 1024;
/** What one URI, or the id of a task, of one stream takes besides its characters, in bytes, about. */
const SUBJECT_BYTES = 256;

/** How the streams are closed while the node leaves. */
interface Leaving {
	/** When the last is closed, on the monotonic clock. */
	readonly until: number;
	/** How many there were. */
	readonly count: number;
	readonly spreadMs: number;
}

/** How often some of the streams are closed while the node leaves, in milliseconds. */
const LEAVE_INTERVAL_MS = 50;

/**
 * The listen streams of a node. A change is published once, by whichever node tells of it, and each node passes it on
 * to its own streams.
 */
export class ListenStreams implements ChangeListener {
	/** Called with tasks that streams begin to hear of, or may have missed changes of. */
	onheard: ((taskIds: Iterable<string>) => void) | undefined;
	/** Called with a task that no stream here hears of any more. */
	onunheard: ((taskId: string) => void) | undefined;
	readonly #host: SessionHost;
	readonly #maxPerPrincipal: number;
	readonly #streams = new Set<ListenStream>();
	readonly #byUri = new Map<string, Set<ListenStream>>();
	readonly #byTask = new Map<string, Set<ListenStream>>();
	readonly #byPrincipal = new Tally();
	readonly #restricted: RestrictedNotices;
	#subjectBytes = 0;
	#stopFeed: Promise<() => void> | undefined;
	#leaving: Leaving | undefined;
	#closed = false;

	constructor(host: SessionHost, { maxPerPrincipal }: ListenLimits) {
		this.#host = host;
		this.#maxPerPrincipal = maxPerPrincipal;
		this.#restricted = new RestrictedNotices(host, (uri) => this.#byUri.get(uri));
	}

	/** Whether streams are open that are still to be moved to other nodes. */
	get isLeaving(): boolean {
		return this.#leaving !== undefined && this.#streams.size > 0;
	}

	/** Returns why no stream more can be opened here for `principal` now, if none can. */
	refusal(principal: string | undefined): HttpProblem | undefined {
		if (this.#host.connections.isFull || this.#subjectBytes > MAX_SUBJECT_BYTES) return problems.tooManyStreams;
		const isOver = principal !== undefined && this.#byPrincipal.get(principal) >= this.#maxPerPrincipal;
		return isOver ? problems.tooManyStreamsOfPrincipal : undefined;
	}

	/**
	 * Resolves once no later change can be missed, or at once after {@link close}. Rejects when the store is unavailable.
	 */
	async ready(): Promise<void> {
		if (this.#closed) return;
		this.#stopFeed ??= listenToChanges(this.#host.context.streams, this);
		const opening = this.#stopFeed;
		try {
			await opening;
		} catch (error) {
			if (this.#stopFeed === opening) this.#stopFeed = undefined;
			throw error;
		}
	}

	/** Acknowledges a stream, and tells it of what changes from now on, until `endsAt` on the clock of dates at most. */
	open(stream: ListenStream, endsAt?: number): void {
		stream.acknowledge();
		if (stream.isEmpty || this.#closed) return this.#end(stream);
		const { principal, connection, filter } = stream;
		this.#streams.add(stream);
		if (principal !== undefined) this.#byPrincipal.add(principal, 1);
		this.#subjectBytes += bytesOf(filter);
		for (const uri of filter.resourceSubscriptions ?? [])
			this.#byUri.set(uri, (this.#byUri.get(uri) ?? new Set()).add(stream));
		this.#host.connections.track(connection, undefined, 'listen');
		for (const id of filter.taskIds ?? []) this.#byTask.set(id, (this.#byTask.get(id) ?? new Set()).add(stream));
		connection.onEnd(() => this.#ended(stream));
		if (filter.taskIds !== undefined) this.onheard?.(filter.taskIds);
		if (endsAt !== undefined) {
			const { clock } = this.#host.context;
			connection.onEnd(clock.after(Math.max(0, endsAt - clock.now()), () => stream.abandon()));
		}
		if (this.#leaving !== undefined && this.#streams.size === 1) this.#leaveSoon();
	}

	onchange(notification: JsonRpcNotification): void {
		if (notification.method === RESOURCES_CHANGED_OF) return this.#tellOf(notification.params?.['principals']);
		const event = listenEvent(notification);
		if (notification.method === UPDATED) {
			const uri = String(notification.params?.['uri']);
			const streams = this.#byUri.get(uri);
			if (streams === undefined || this.#restricted.tell(uri, event)) return;
			for (const stream of streams) stream.send(event);
			return;
		}
		const name = LIST_NAMES.find((list) => listMethods[list] === notification.method);
		if (name === undefined) return;
		for (const stream of this.#streams) if (stream.filter[name]) stream.send(event);
	}

	#tellOf(principals: unknown): void {
		if (!Array.isArray(principals)) return;
		const event = listenEvent({ jsonrpc: '2.0', method: listMethods.resourcesListChanged });
		for (const stream of this.#streams) {
			if (stream.filter.resourcesListChanged && principals.includes(stream.principal)) stream.send(event);
		}
	}

	/** Whether a stream here hears of a task. */
	hears(taskId: string): boolean {
		return this.#byTask.has(taskId);
	}

	/** Tells the streams that hear of a task. */
	tellTask(taskId: string, notification: JsonRpcNotification): void {
		const event = listenEvent(notification);
		for (const stream of this.#byTask.get(taskId) ?? []) stream.send(event);
	}

	/**
	 * Tells every stream to read everything again that it asked to hear of. Nobody is asked whether they may hear it: it
	 * says nothing of what changed, and after an outage it would be asked of everything at once.
	 */
	ongap(): void {
		const lists = LIST_NAMES.map((name) => [name, listenEvent({ jsonrpc: '2.0', method: listMethods[name] })] as const);
		for (const [name, event] of lists) for (const stream of this.#streams) if (stream.filter[name]) stream.send(event);
		for (const [uri, streams] of this.#byUri) {
			const event: ListenEvent = listenEvent({ jsonrpc: '2.0', method: UPDATED, params: { uri } });
			for (const stream of streams) stream.send(event);
		}
		this.onheard?.(this.#byTask.keys());
	}

	/** Closes the streams one after another within `spreadMs`, so that their clients do not all come back at once. */
	leave(spreadMs: number): void {
		if (this.#leaving !== undefined) return;
		const until = this.#host.context.clock.monotonic() + spreadMs;
		this.#leaving = { until, count: this.#streams.size, spreadMs };
		this.#leaveSome(this.#leaving);
	}

	/** Ends every stream: with its result where the service ends, and without where the node leaves. */
	close(): void {
		this.#closed = true;
		for (const stream of [...this.#streams]) this.#end(stream);
		const stopFeed = this.#stopFeed;
		this.#stopFeed = undefined;
		if (stopFeed !== undefined) this.#host.context.background(async () => (await stopFeed)());
	}

	/** A client that comes back finds another node, unless there is nothing to hear anywhere. */
	#end(stream: ListenStream): void {
		if (this.#leaving === undefined || stream.isEmpty) stream.complete();
		else stream.abandon();
	}

	#leaveSome({ until, count, spreadMs }: Leaving): void {
		const left = until - this.#host.context.clock.monotonic();
		const kept = left <= 0 ? 0 : Math.floor((count * left) / spreadMs);
		for (const stream of [...this.#streams].slice(0, Math.max(0, this.#streams.size - kept))) stream.abandon();
		if (this.#streams.size > 0) this.#leaveSoon();
	}

	#leaveSoon(): void {
		this.#host.context.clock.after(LEAVE_INTERVAL_MS, () => {
			if (!this.#closed && this.#leaving !== undefined) this.#leaveSome(this.#leaving);
		});
	}

	#ended(stream: ListenStream): void {
		this.#streams.delete(stream);
		if (stream.principal !== undefined) this.#byPrincipal.add(stream.principal, -1);
		this.#subjectBytes -= bytesOf(stream.filter);
		for (const uri of stream.filter.resourceSubscriptions ?? []) {
			const streams = this.#byUri.get(uri);
			streams?.delete(stream);
			if (streams?.size === 0) this.#byUri.delete(uri);
		}
		for (const id of stream.filter.taskIds ?? []) {
			const streams = this.#byTask.get(id);
			streams?.delete(stream);
			if (streams?.size !== 0) continue;
			this.#byTask.delete(id);
			this.onunheard?.(id);
		}
	}
}

/** Returns what the URIs and tasks of a stream take. */
function bytesOf({ resourceSubscriptions = [], taskIds = [] }: ListenFilter): number {
	let bytes = SUBJECT_BYTES * (resourceSubscriptions.length + taskIds.length);
	for (const uri of resourceSubscriptions) bytes += uri.length;
	return bytes;
}
