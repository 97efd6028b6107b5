import { type MaybePromise, SessionManagerError } from '@holdfast/session-manager';
import { whenReady } from '@holdfast/session-manager/custom';
import type { ClusterBus } from '../cluster/cluster-bus.js';
import type { ClusterMessage } from '../cluster/cluster-message.js';
import type { NodeMonitor } from '../cluster/node-monitor.js';
import type { NodeContext } from '../node/node-context.js';
import { hasMethod, isRequest, type JsonRpcMessage } from '../protocol/json-rpc.js';
import { nodeOfWireId, type WireIds } from '../protocol/routed-ids.js';
import type { MessageExtra } from '../protocol/sdk.js';
import type { LocalSession } from './local-session.js';
import { RateLimiter } from './rate-limiter.js';
import type { SessionCache } from './session-cache.js';

/** Notifications about a request. They must reach the node where it runs or waits. */
const routedNotifications: ReadonlySet<string> = new Set(['notifications/cancelled', 'notifications/progress']);

/** How long another node may take to say that it has a message, in milliseconds. */
const REPLY_MS = 2_500;

/** Longer request ids, and what is longer of a reason, are not told to other nodes, in characters. */
const MAX_FORWARDED_LENGTH = 256;

/** A longer message is sent to another node only once that has said that it waits for it, in characters. */
const LARGE_LENGTH = 16_384;

/**
 * What a session may have told to other nodes: 200 messages a second, or 3 MiB. A message of more than 16 KiB counts as
 * several.
 */
const forwardRate = {
	burst: 1_000,
	refillMs: 5_000,
	message: 'too much of this session had to be brought to other nodes in a short time.',
};

/**
 * Brings what a client says, requests apart, to the node that it is for. A message is taken only once that node has it,
 * so that what a client says next cannot overtake it.
 */
export class MessageRouter {
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #monitor: NodeMonitor;
	readonly #wireIds: WireIds;
	readonly #rate: RateLimiter;

	constructor(context: NodeContext, bus: ClusterBus, monitor: NodeMonitor, wireIds: WireIds, sessions: SessionCache) {
		this.#context = context;
		this.#bus = bus;
		this.#monitor = monitor;
		this.#wireIds = wireIds;
		this.#rate = new RateLimiter(context.clock, forwardRate);
		bus.on('is-waiting', ({ sessionId, wireId }) => sessions.get(sessionId)?.isWaiting(wireId) ?? false);
		bus.on('client-message', ({ sessionId, message }) => {
			const session = sessions.get(sessionId);
			return session !== undefined && this.#deliverHere(session, message);
		});
	}

	/**
	 * Delivers notifications and responses, in order. A response for which no request waits is late, not wrong: its
	 * request timed out, or was cancelled, or its node is gone.
	 */
	async take(session: LocalSession, messages: readonly JsonRpcMessage[], extra: MessageExtra): Promise<void> {
		for (const message of messages) {
			if (!hasMethod(message) || routedNotifications.has(message.method)) {
				await this.#deliver(session, message, extra);
			} else {
				const live = await session.live();
				if (!isRequest(message)) live.notify(message, extra);
			}
		}
	}

	/** Delivers a response, progress or cancellation to the request that it concerns, on whichever node. */
	#deliver(session: LocalSession, message: JsonRpcMessage, extra?: MessageExtra): MaybePromise<unknown> {
		if (hasMethod(message) && message.method === 'notifications/cancelled') {
			const { requestId, reason } = message.params ?? {};
			// No request can have this id.
			if (typeof requestId !== 'string' && typeof requestId !== 'number') return;
			return whenReady(session.cancel(requestId, message, extra), (cancelled) => {
				if (cancelled || (typeof requestId === 'string' && requestId.length > MAX_FORWARDED_LENGTH)) return;
				this.#rate.count(session.id);
				// Every node receives this, so it carries only what they need and nothing else that the client sent.
				const params = {
					requestId,
					...(typeof reason === 'string' && { reason: reason.slice(0, MAX_FORWARDED_LENGTH) }),
				};
				const cancellation = { jsonrpc: '2.0', method: message.method, params } as const;
				return this.#tellEverywhere(forwarded(session, cancellation));
			});
		}
		const wireId = hasMethod(message) ? message.params?.['progressToken'] : message.id;
		const nodeId = nodeOfWireId(wireId);
		if (nodeId !== undefined && nodeId !== this.#context.nodeId)
			return this.#forward(nodeId, wireId as string, session, message);
		if (nodeId !== undefined && !this.#wireIds.isOwn(wireId as string, session.id)) return;
		if (!hasMethod(message)) return session.resolve(message, extra);
		session.progress(message, extra);
	}

	/** Brings a message to every node; throws `unavailable` where one is there and does not say that it has it. */
	async #tellEverywhere(message: ClusterMessage): Promise<void> {
		const missing = await this.#monitor.reachAll(message);
		if (missing === undefined) throw unreachable();
		for (const nodeId of missing) if (!(await this.#monitor.isGone(nodeId))) throw unreachable();
	}

	/**
	 * Brings a message to the node that waits for it; throws `unavailable` where that is there and does not say that it
	 * has it.
	 */
	async #forward(nodeId: string, wireId: string, session: LocalSession, message: JsonRpcMessage): Promise<void> {
		const { length } = JSON.stringify(message);
		this.#rate.count(session.id, 1 + Math.floor(length / LARGE_LENGTH));
		// Anybody can make up the name of a node: one that nobody has heard of is not waited for.
		if (!this.#monitor.isHeard(nodeId) && (await this.#monitor.isGone(nodeId))) return;
		if (length > LARGE_LENGTH) {
			const question = { type: 'is-waiting', sessionId: session.id, wireId } as const;
			if ((await this.#bus.ask(nodeId, question, REPLY_MS)) === false) return;
		}
		const taken = await this.#bus.ask(nodeId, forwarded(session, message), REPLY_MS);
		if (taken === undefined && !(await this.#monitor.isGone(nodeId))) throw unreachable();
	}

	/** Gives what another node forwarded to whoever waits for it on this one. `false` when that is nobody. */
	#deliverHere(session: LocalSession, message: JsonRpcMessage): MaybePromise<boolean> {
		if (!hasMethod(message)) return session.resolve(message);
		if (message.method === 'notifications/cancelled') {
			const id = message.params?.['requestId'];
			return (typeof id === 'string' || typeof id === 'number') && session.cancel(id, message);
		}
		session.progress(message);
		return true;
	}
}

function unreachable(): SessionManagerError {
	return new SessionManagerError('unavailable', 'The node that waits for this message cannot be reached; try again.');
}

function forwarded(session: LocalSession, message: JsonRpcMessage): ClusterMessage {
	return { type: 'client-message', sessionId: session.id, message };
}
