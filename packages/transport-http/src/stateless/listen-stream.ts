import {
	type Connection,
	type JsonRpcNotification,
	messageEvent,
	type Params,
	type RequestId,
} from '@holdfast/transport/internal';
import type { ListenFilter } from './listen-filter.js';

const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId';
/** Where results name the server. */
export const SERVER_INFO = 'io.modelcontextprotocol/serverInfo';

/** A change on its way to listen streams, which each add their id. */
export interface ListenEvent {
	/** Of changes with the same key, the newest stands for all: each means "read again". */
	readonly key: string;
	/** The SSE event up to the id. */
	readonly head: string;
}

const tail = '}}}\n\n';

/** Returns the event of a change. */
export function listenEvent({ method, params = {} }: JsonRpcNotification): ListenEvent {
	const { _meta, ...rest } = params;
	const members = (object: Params) => Object.entries(object).map((entry) => `${entry.map(toJson).join(':')},`);
	const meta = members((_meta as Params | undefined) ?? {}).join('');
	const data = `{"jsonrpc":"2.0","method":${toJson(method)},"params":{${members(rest).join('')}"_meta":{${meta}`;
	const subject = rest['uri'] ?? rest['taskId'];
	return {
		key: typeof subject === 'string' ? `${method} ${subject}` : method,
		head: `event: message\ndata: ${data}"${SUBSCRIPTION_ID}":`,
	};
}

/**
 * The stream that answers `subscriptions/listen` (2026-07-28, Subscriptions). What its client does not read in time is
 * not kept as it came: of equal notices, one is.
 */
export class ListenStream {
	readonly filter: ListenFilter;
	/** Whom the stream counts for. */
	readonly principal: string | undefined;
	/** Who listens, as `session.principal` would name them. */
	readonly caller: string | undefined;
	readonly connection: Connection;
	readonly #id: RequestId;
	readonly #idJson: string;
	readonly #serverInfo: unknown;
	/** What waits until the client has read on, by key. */
	#pending: Map<string, string> | undefined;

	constructor(
		connection: Connection,
		id: RequestId,
		filter: ListenFilter,
		principal: string | undefined,
		serverInfo: unknown,
		caller = principal,
	) {
		this.connection = connection;
		this.filter = filter;
		this.principal = principal;
		this.caller = caller;
		this.#id = id;
		this.#idJson = JSON.stringify(id);
		this.#serverInfo = serverInfo;
	}

	/** Whether the stream tells of nothing. */
	get isEmpty(): boolean {
		return Object.keys(this.filter).length === 0;
	}

	/** Says what the stream will tell of; the first message. */
	acknowledge(): void {
		const params = { notifications: this.filter, _meta: { [SUBSCRIPTION_ID]: this.#id } };
		const method = 'notifications/subscriptions/acknowledged';
		this.connection.write(messageEvent(JSON.stringify({ jsonrpc: '2.0', method, params })));
	}

	/** Tells the client of a change, now or once it has read what was sent before. */
	send({ key, head }: ListenEvent): void {
		if (this.#pending !== undefined) this.#pending.set(key, head);
		else if ((this.connection.room ?? 0) > 0) this.connection.write(head + this.#idJson + tail);
		else {
			this.#pending = new Map([[key, head]]);
			this.connection.onRead(() => this.#flush());
		}
	}

	/** Ends the stream with its result: the service is over. */
	complete(): void {
		const _meta = {
			[SUBSCRIPTION_ID]: this.#id,
			...(this.#serverInfo !== undefined && { [SERVER_INFO]: this.#serverInfo }),
		};
		const result = { resultType: 'complete', _meta };
		this.connection.write(messageEvent(JSON.stringify({ jsonrpc: '2.0', id: this.#id, result })));
		this.connection.close();
	}

	/** Ends the stream without a result, so that its client comes back elsewhere. */
	abandon(): void {
		this.connection.close();
	}

	#flush(): void {
		const pending = this.#pending;
		if (pending === undefined) return;
		for (const [key, head] of pending) {
			if (!this.connection.open) return;
			if ((this.connection.room ?? 0) <= 0) return this.connection.onRead(() => this.#flush());
			pending.delete(key);
			this.connection.write(head + this.#idJson + tail);
		}
		this.#pending = undefined;
	}
}

function toJson(value: unknown): string {
	return JSON.stringify(value) ?? 'null';
}
