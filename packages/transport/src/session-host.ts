import type { MaybePromise, SessionRecord } from '@holdfast/session-manager';
import { whenReady } from '@holdfast/session-manager/custom';
import { shown, toError, WriteBehind } from '@holdfast/session-manager/internal';
import { ClusterBus } from './cluster/cluster-bus.js';
import { NodeMonitor } from './cluster/node-monitor.js';
import { NodeRegistry } from './cluster/node-registry.js';
import { RequestStreams } from './cluster/request-streams.js';
import { DEFAULT_DELAY_MS, type DrainGuest, type DrainOptions, type DrainParts, drain, pause } from './drain.js';
import { Connections } from './http/connections.js';
import { NodeContext } from './node/node-context.js';
import type { NodeStats, SessionOptions } from './options.js';
import { ErrorCode } from './protocol/json-rpc.js';
import { WireIds } from './protocol/routed-ids.js';
import type { CreateServer } from './protocol/sdk.js';
import { Audiences } from './session/audiences.js';
import { ExpiryReaper } from './session/expiry-reaper.js';
import { LiveServerPool } from './session/live-server-pool.js';
import { LocalSession, type LocalSessionParts } from './session/local-session.js';
import { MessageRouter } from './session/message-router.js';
import { Notifier } from './session/notifier.js';
import { PrincipalData } from './session/principal-data.js';
import { RateLimiter } from './session/rate-limiter.js';
import { SessionCache } from './session/session-cache.js';
import { idleTtlOf, SessionFactory, shortestTtlOf } from './session/session-factory.js';
import { SessionIds } from './session/session-id.js';
import { SessionLifecycle } from './session/session-lifecycle.js';

const MINUTE = 60_000;
/** How long a node that closes waits for a store that does not take which sessions were used, in milliseconds. */
const TOLD_MS = 1_000;

/** What a session may open with GET on this node: 20 streams a second. */
const openRate = { burst: 100, refillMs: 5_000, message: 'this session opened too many streams in a short time.' };

/**
 * The sessions of one node: makes the parts that find sessions, build their servers, route messages between nodes and
 * end sessions, in the order in which they need each other.
 */
export class SessionHost {
	readonly context: NodeContext;
	readonly bus: ClusterBus;
	/** Watches for other nodes that died. */
	readonly monitor: NodeMonitor;
	/** The nodes that share the store, as operators see them. */
	readonly registry: NodeRegistry;
	readonly connections: Connections;
	readonly requestStreams: RequestStreams;
	readonly sessions: SessionCache;
	readonly lifecycle: SessionLifecycle;
	readonly factory: SessionFactory;
	/** How often a session may open its streams with GET. */
	readonly openRate: RateLimiter;
	readonly router: MessageRouter;
	/** Who may hear of resources. */
	readonly audiences = new Audiences();
	readonly notify: Notifier;
	/** What is stored about a principal. */
	readonly principals: PrincipalData;
	/** Writes marks in the background. */
	readonly writeBehind: WriteBehind;
	/** What else is to be drained. */
	readonly guests: DrainGuest[] = [];
	/** Addresses that are told of changed resources, as sessions are. */
	readonly changeAddresses: string[] = [];
	readonly #liveServers: LiveServerPool;
	readonly #ids: SessionIds;
	readonly #reaper: ExpiryReaper;
	#isDraining = false;
	#closing: Promise<void> | undefined;
	/** Why the store did not serve the last readiness probe. */
	#notReadyFor: string | undefined;

	constructor(createServer: CreateServer, options: SessionOptions = {}) {
		if (typeof createServer !== 'function')
			throw new TypeError(
				`The first argument of a transport must be a function that makes an SDK server, not ${shown(createServer)}.`,
			);
		const suspendAfterMs = options.suspendAfterMs ?? 5 * MINUTE;
		const shortestMs = Math.min(shortestTtlOf(options), suspendAfterMs || Number.POSITIVE_INFINITY);
		const sweepIntervalMs = Math.min(30_000, Math.max(25, shortestMs / 4));

		const context = new NodeContext(options);
		const bus = new ClusterBus(context);
		const monitor = new NodeMonitor(context, bus);
		const connections = new Connections(context, bus, options);
		const requestStreams = new RequestStreams(context, bus, monitor);
		const liveServers = new LiveServerPool(context, options.maxLiveServers ?? 2_000);
		const wireIds = new WireIds(context);
		const writeBehind = new WriteBehind(context.clock, (error) => context.report(error));
		const sessionHome = {
			info: context.info,
			writeBehind,
			// A tool that ends its own session must not wait until all its calls have ended.
			terminate: (id: string, reason: string) => lifecycle.terminate(id, reason, false),
		};
		const parts: LocalSessionParts = {
			context,
			monitor,
			connections,
			audiences: this.audiences,
			wireIds,
			liveServers,
			createServer,
			sessionHome,
			options,
		};
		const makeSession = (record: SessionRecord, isTransient = false) => new LocalSession(record, parts, isTransient);
		const sessions = new SessionCache(context, bus, monitor, connections, liveServers, makeSession, {
			sweepIntervalMs,
			suspendAfterMs,
			idleTtlMs: idleTtlOf(options),
		});
		const lifecycle = new SessionLifecycle(context, bus, monitor, connections, liveServers, sessions, suspendAfterMs);
		const ids = new SessionIds(options);

		this.context = context;
		this.monitor = monitor;
		this.registry = new NodeRegistry(context, options);
		this.connections = connections;
		this.requestStreams = requestStreams;
		this.sessions = sessions;
		this.lifecycle = lifecycle;
		this.factory = new SessionFactory(context, bus, sessions, lifecycle, ids, makeSession, options);
		this.openRate = new RateLimiter(context.clock, openRate);
		this.router = new MessageRouter(context, bus, monitor, wireIds, sessions);
		this.notify = new Notifier(context, this.audiences, this.changeAddresses);
		this.principals = new PrincipalData(context, lifecycle);
		this.bus = bus;
		this.#liveServers = liveServers;
		this.#ids = ids;
		this.#reaper = new ExpiryReaper(context);
		this.writeBehind = writeBehind;
		bus.onlistening = () => {
			monitor.start();
			this.registry.start();
			this.#reaper.start();
		};
	}

	/** Returns counts of what this node holds. */
	stats(): Omit<NodeStats, 'bodyBytes'> {
		let requestsInFlight = 0;
		let requestsWaiting = 0;
		for (const server of this.#liveServers) {
			requestsInFlight += server.running;
			requestsWaiting += server.waiting;
		}
		return {
			sessions: this.sessions.size,
			liveServers: this.#liveServers.size,
			requestsInFlight,
			requestsWaiting,
			connections: this.connections.size,
		};
	}

	/**
	 * Returns whether this node can serve every request: it is not draining or closed, the store responds, and this node
	 * receives messages from the others. Never rejects: an error of the store is reported and gives `false`.
	 */
	async isReady(): Promise<boolean> {
		const { context } = this;
		if (context.closed) return false;
		try {
			await this.bus.listen();
			await context.info.read('readiness');
			this.#notReadyFor = undefined;
			// A node that receives no messages would go on using what other nodes have changed.
			return !context.closed && !this.#isDraining && (await this.bus.isListening(context.nodeId));
		} catch (error) {
			// Probes ask every few seconds: the same reason is told once.
			const { message } = toError(error);
			if (message !== this.#notReadyFor) context.report(error);
			this.#notReadyFor = message;
			return false;
		}
	}

	/**
	 * Returns the session that a client names `wireId`, and counts as its use. `undefined` when it is unknown, expired or
	 * ended.
	 */
	find(wireId: string): MaybePromise<LocalSession | undefined> {
		return whenReady(this.sessions.find(this.#ids.stored(wireId)), (session) => {
			// The text that the session has already, so that none of a request is kept.
			if (session !== undefined && session.wireId !== wireId) session.wireId = wireId;
			return session;
		});
	}

	/** This node is about to leave: from now on it is not ready. Returns what {@link drain} works on. */
	leave(): DrainParts {
		this.#isDraining = true;
		this.registry.leave();
		const { context, connections, requestStreams, lifecycle, guests } = this;
		return { context, connections, requestStreams, liveServers: this.#liveServers, lifecycle, guests };
	}

	/**
	 * Moves clients to other nodes and waits for what is in flight (see drain.ts). The caller closes the host afterwards.
	 */
	async drain(options: DrainOptions = {}): Promise<void> {
		const { clock } = this.context;
		const parts = this.leave();
		await pause(clock, options.delayMs ?? DEFAULT_DELAY_MS);
		await drain(clock, [parts], options);
	}

	/**
	 * Closes all connections and live servers of this node, and the managers that it made itself. Sessions in a shared
	 * store live on. Idempotent.
	 */
	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close(): Promise<void> {
		this.context.markClosed();
		const withdrawn = this.registry.close();
		const usesAreTold = Promise.race([this.factory.flush(), pause(this.context.clock, TOLD_MS)]);
		await Promise.all([usesAreTold, this.writeBehind.flush()]);
		this.lifecycle.close();
		await this.#reaper.close();
		this.monitor.close();
		this.requestStreams.close();
		const message = 'The node closed before it responded.';
		await Promise.all([...this.sessions].map((session) => session.finish(ErrorCode.REFUSED, message)));
		this.connections.close();
		this.sessions.close();
		this.writeBehind.close();
		await this.bus.close();
		await withdrawn;
		await this.context.closeManagers();
	}
}
