import {
	expiryOf,
	type LogLevel,
	type MaybePromise,
	Session,
	type SessionRecord,
	whenReady,
} from '@holdfast/session-manager';
import type { Connection } from './connection.js';
import {
	ErrorCode,
	type JsonRpcFailure,
	type JsonRpcNotification,
	type JsonRpcRequest,
	type JsonRpcResult,
	type RequestId,
} from './json-rpc.js';
import { LiveServer, type LiveServerHome, toError } from './live-server.js';
import type { RequestChannel } from './request-channel.js';
import type { MessageExtra } from './sdk-server.js';
import type { SessionHost } from './session-host.js';
import { messageEvent } from './sse-frame.js';

const replayId = 'holdfast:replay';

/** What this node holds of one session: its record as last read, its live server if there is one, its open connections. */
export class NodeSession implements LiveServerHome {
	readonly id: string;
	readonly session: Session;
	/** The connection that holds the session stream on this node. */
	sessionConnection: Connection | undefined;
	/** Open connections of the session on this node, of whatever stream, by stream id. */
	readonly connections = new Map<string, Connection>();
	/** When the session was last used here. */
	usedAt: number;
	/** When the store last heard that the session was used. */
	touchedAt: number;
	/** When the session expires if nobody uses it, as far as this node knows. */
	expiresAt: number;

	readonly #host: SessionHost;
	#record: SessionRecord;
	#live: LiveServer | undefined;
	#opening: Promise<LiveServer> | undefined;
	#ended = false;

	constructor(host: SessionHost, record: SessionRecord) {
		this.id = record.id;
		this.#host = host;
		this.#record = record;
		this.usedAt = record.lastUsedAt;
		this.touchedAt = record.lastUsedAt;
		this.expiresAt = expiryOf(record) ?? Number.POSITIVE_INFINITY;
		this.session = new Session(record, host);
	}

	get record(): SessionRecord {
		return this.#record;
	}

	get logLevel(): LogLevel | undefined {
		return this.#record.logLevel;
	}

	/** Whether the session has ended; nothing may be begun for it then. */
	get ended(): boolean {
		return this.#ended;
	}

	get hasLiveServer(): boolean {
		return this.#live !== undefined || this.#opening !== undefined;
	}

	/** Whether a request runs or waits here, so that the live server cannot be dropped. */
	get busy(): boolean {
		return this.#opening !== undefined || (this.#live !== undefined && (this.#live.running > 0 || this.#live.waiting > 0));
	}

	/** Requests of the client that run here. */
	get running(): number {
		return this.#live?.running ?? 0;
	}

	/** Requests to the client that wait here. */
	get waiting(): number {
		return this.#live?.waiting ?? 0;
	}

	/** Takes in what the store says now. */
	refresh(record: SessionRecord): void {
		this.#record = record;
		this.session.refresh(record);
		this.touched(Math.max(this.touchedAt, record.lastUsedAt));
	}

	/** The store hears that the session was used at `usedAt`. */
	touched(usedAt: number): void {
		this.touchedAt = usedAt;
		this.expiresAt = expiryOf({ ...this.#record, lastUsedAt: usedAt }) ?? Number.POSITIVE_INFINITY;
	}

	/** The live server: the one at hand, or one made again by replaying what the client said in `initialize`. */
	live(): MaybePromise<LiveServer> {
		if (this.#live !== undefined) return this.#live;
		this.#opening ??= this.#hydrate().finally(() => {
			this.#opening = undefined;
		});
		return this.#opening;
	}

	/** Makes the live server for a new session and lets it answer `initialize`. */
	async initialize(request: JsonRpcRequest, extra?: MessageExtra): Promise<JsonRpcResult | JsonRpcFailure> {
		const live = await this.#connect();
		const answer = await this.#ask(live, request, extra);
		if ('error' in answer) await live.drop();
		else this.#adopt(live);
		return answer;
	}

	isRunning(id: RequestId): boolean {
		return this.#live?.isRunning(id) ?? false;
	}

	isWaiting(id: RequestId): boolean {
		return this.#live?.isWaiting(id) ?? false;
	}

	/** Cancels request `id` if it runs here. */
	cancel(id: RequestId, notification: JsonRpcNotification, extra?: MessageExtra): boolean {
		return this.#live?.cancel(id, notification, extra) ?? false;
	}

	/** Gives an answer or progress to whoever waits for it here. `false` when nobody does. */
	answer(answer: JsonRpcResult | JsonRpcFailure, extra?: MessageExtra): boolean {
		return this.#live?.answer(answer, extra) ?? false;
	}

	progress(notification: JsonRpcNotification, extra?: MessageExtra): void {
		this.#live?.notify(notification, extra);
	}

	sendOnSessionStream(json: string): MaybePromise<void> {
		if (this.#ended) return;
		return this.#host.streams.send([this.id], messageEvent(json));
	}

	nextWireId(waiting: number): string {
		return this.#host.nextWireId(waiting);
	}

	onerror(error: Error): void {
		this.#host.report(error);
	}

	onserverclosed(): void {
		this.#live = undefined;
		this.#host.onliveserverclosed(this);
	}

	/** Records subscriptions and the log level; the client hears of success only when it is stored. */
	settle(request: JsonRpcRequest, answer: JsonRpcResult | JsonRpcFailure): MaybePromise<JsonRpcResult | JsonRpcFailure> {
		if (request.id === replayId) return answer;
		if (request.method === 'logging/setLevel') {
			if ('error' in answer) return answer;
			return whenReady(this.#host.setLogLevel(this, request.params?.['level'] as LogLevel), () => answer);
		}
		// Servers often declare the capability and leave the bookkeeping to whoever has a place for it: us.
		const ours = 'error' in answer && answer.error.code === ErrorCode.METHOD_NOT_FOUND && this.#declaresSubscribe();
		if ('error' in answer && !ours) return answer;
		const uri = request.params?.['uri'];
		if (typeof uri !== 'string') {
			const error = { code: ErrorCode.INVALID_PARAMS, message: 'Invalid params: uri must be a string.' };
			return { jsonrpc: '2.0', id: request.id, error };
		}
		const stored =
			request.method === 'resources/subscribe'
				? this.#host.info.addSubscription(this.id, uri)
				: this.#host.info.removeSubscription(this.id, uri);
		return whenReady(stored, () => ({ jsonrpc: '2.0', id: request.id, result: 'result' in answer ? answer.result : {} }));
	}

	/** Frees the live server unless it is busy; the next request makes it again. */
	async release(): Promise<boolean> {
		if (this.busy) return false;
		await this.#live?.drop();
		return true;
	}

	/** Refuses whatever is new, and aborts `session.signal`. */
	markEnded(reason: string): void {
		this.#ended = true;
		this.session.markEnded(reason);
	}

	/** Answers what still runs with an error, frees the live server and closes every connection. */
	async finish(reason: string): Promise<void> {
		this.#live?.fail(ErrorCode.SESSION_NOT_FOUND, `The session ended: ${reason}`);
		await this.#live?.drop();
		for (const connection of this.connections.values()) connection.close();
	}

	#declaresSubscribe(): boolean {
		const resources = this.#record.serverCapabilities['resources'];
		return typeof resources === 'object' && resources !== null && 'subscribe' in resources && resources.subscribe === true;
	}

	async #hydrate(): Promise<LiveServer> {
		const live = await this.#connect();
		const { initializeParams, logLevel, serverCapabilities } = this.#record;
		const answers = [
			await this.#ask(live, { jsonrpc: '2.0', id: replayId, method: 'initialize', params: initializeParams }),
		];
		if (logLevel !== undefined && serverCapabilities['logging'] !== undefined) {
			const params = { level: logLevel };
			answers.push(await this.#ask(live, { jsonrpc: '2.0', id: replayId, method: 'logging/setLevel', params }, undefined));
		}
		const refused = answers.find((answer) => 'error' in answer);
		if (refused !== undefined && 'error' in refused) {
			await live.drop();
			throw new Error(`The server refused the replay of initialize: ${refused.error.message}`);
		}
		this.#adopt(live);
		return live;
	}

	async #connect(): Promise<LiveServer> {
		const server = await this.#host.createServer(this.session);
		const live = new LiveServer(this.id, server, this);
		await live.connect();
		return live;
	}

	#adopt(live: LiveServer): void {
		this.#live = live;
		this.#host.onliveserver(this);
	}

	#ask(live: LiveServer, request: JsonRpcRequest, extra?: MessageExtra): Promise<JsonRpcResult | JsonRpcFailure> {
		return new Promise((resolve) => {
			const channel: RequestChannel = {
				// What a server says before the client knows of the session has no stream to go on.
				emit() {},
				respond: resolve,
				cancelled() {},
			};
			live.request(request, channel, extra);
		});
	}
}

/** Reports a failure of work that nobody waits for. */
export function inBackground(work: MaybePromise<unknown>, report: (error: Error) => void): void {
	if (work instanceof Promise) work.catch((error: unknown) => report(toError(error)));
}
