import type { MaybePromise } from '@holdfast/session-manager';
import { whenReady } from '@holdfast/session-manager/custom';
import type { ClusterBus, ClusterMessage } from '../cluster/cluster-bus.js';
import type { NodeMonitor } from '../cluster/node-monitor.js';
import type { NodeContext } from '../node/node-context.js';
import { hasMethod, isRequest, type JsonRpcMessage } from '../protocol/json-rpc.js';
import { nodeOfWireId } from '../protocol/routed-ids.js';
import type { MessageExtra } from '../protocol/sdk.js';
import type { LocalSession } from './local-session.js';
import type { SessionCache } from './session-cache.js';

/** Notifications about a request. They must reach the node where it runs or waits. */
const routedNotifications: ReadonlySet<string> = new Set(['notifications/cancelled', 'notifications/progress']);

/** Routes a client's notifications and responses to the node that they concern. */
export class MessageRouter {
	readonly #context: NodeContext;
	readonly #bus: ClusterBus;
	readonly #monitor: NodeMonitor;

	constructor(context: NodeContext, bus: ClusterBus, monitor: NodeMonitor, sessions: SessionCache) {
		this.#context = context;
		this.#bus = bus;
		this.#monitor = monitor;
		bus.on('client-message', ({ sessionId, message }) => {
			const session = sessions.get(sessionId);
			if (session !== undefined) this.#deliverHere(session, message);
		});
	}

	/**
	 * Delivers notifications and responses, in order. Resolves with `false` when one is a response for which no request
	 * waits.
	 */
	async take(session: LocalSession, messages: readonly JsonRpcMessage[], extra: MessageExtra): Promise<boolean> {
		let taken = true;
		for (const message of messages) {
			if (!hasMethod(message) || routedNotifications.has(message.method)) {
				taken = (await this.#deliver(session, message, extra)) && taken;
			} else {
				const live = await session.live();
				if (!isRequest(message)) live.notify(message, extra);
			}
		}
		return taken;
	}

	/**
	 * Delivers a response, progress or cancellation to the request that it concerns, on whichever node. Returns `false`
	 * when a response finds no request.
	 */
	#deliver(session: LocalSession, message: JsonRpcMessage, extra?: MessageExtra): MaybePromise<boolean> {
		if (hasMethod(message) && message.method === 'notifications/cancelled') {
			const { requestId, reason } = message.params ?? {};
			// No request can have this id.
			if (typeof requestId !== 'string' && typeof requestId !== 'number') return true;
			return whenReady(session.cancel(requestId, message, extra), (cancelled) => {
				if (cancelled) return true;
				// Every node receives this, so it carries only what they need and nothing else that the client sent.
				const params = { requestId, ...(typeof reason === 'string' && { reason }) };
				return this.#forward(undefined, session, { jsonrpc: '2.0', method: message.method, params });
			});
		}
		const wireId = hasMethod(message) ? message.params?.['progressToken'] : message.id;
		const nodeId = nodeOfWireId(wireId);
		if (nodeId !== undefined && nodeId !== this.#context.nodeId) {
			const delivered = this.#forward(nodeId, session, message);
			// Progress for a request that no longer waits is late, not wrong.
			return hasMethod(message) ? delivered.then(() => true) : delivered;
		}
		if (!hasMethod(message)) return session.resolve(message, extra);
		session.progress(message, extra);
		return true;
	}

	async #forward(nodeId: string | undefined, session: LocalSession, message: JsonRpcMessage): Promise<boolean> {
		const forwarded: ClusterMessage = { type: 'client-message', sessionId: session.id, message };
		if (nodeId === undefined) {
			await this.#bus.tellAll(forwarded);
			return true;
		}
		if (await this.#monitor.isGone(nodeId)) return false;
		await this.#bus.tell(nodeId, forwarded);
		return true;
	}

	/** Delivers what another node forwarded to the request that it concerns on this one. */
	#deliverHere(session: LocalSession, message: JsonRpcMessage): void {
		if (!hasMethod(message)) session.resolve(message);
		else if (message.method !== 'notifications/cancelled') session.progress(message);
		else {
			const id = message.params?.['requestId'];
			if (typeof id !== 'string' && typeof id !== 'number') return;
			this.#context.background(() => session.cancel(id, message));
		}
	}
}
