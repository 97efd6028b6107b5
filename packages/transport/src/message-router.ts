import { type MaybePromise, whenReady } from '@holdfast/session-manager';
import { isCall, type JsonRpcMessage } from './json-rpc.js';
import type { NodeBus, NodeMessage } from './node-bus.js';
import { inBackground, type NodeSession } from './node-session.js';
import type { NodeWatch } from './node-watch.js';
import type { MessageExtra } from './sdk-server.js';
import { nodeOfWireId } from './wire-id.js';

/** What the routing of messages needs from the node. */
export interface MessageRouterHome {
	readonly nodeId: string;
	readonly nodes: NodeWatch;
	report(error: Error): void;
}

/** Brings what a client says about a request to the node where it runs or waits. */
export class MessageRouter {
	readonly #home: MessageRouterHome;
	readonly #bus: NodeBus;

	constructor(home: MessageRouterHome, bus: NodeBus) {
		this.#home = home;
		this.#bus = bus;
	}

	/**
	 * Gives a client's answer, progress or cancellation to whoever waits for it, on whichever node. `false` when that is nobody.
	 */
	deliver(session: NodeSession, message: JsonRpcMessage, extra?: MessageExtra): MaybePromise<boolean> {
		if (isCall(message) && message.method === 'notifications/cancelled') {
			const { requestId, reason } = message.params ?? {};
			// There is no such request anywhere.
			if (typeof requestId !== 'string' && typeof requestId !== 'number') return true;
			return whenReady(session.cancel(requestId, message, extra), (cancelled) => {
				if (cancelled) return true;
				// It goes to every node: only what they need of it, whatever else the client put in.
				const params = { requestId, ...(typeof reason === 'string' && { reason }) };
				return this.#forward(undefined, session, { jsonrpc: '2.0', method: message.method, params });
			});
		}
		const wireId = isCall(message) ? message.params?.['progressToken'] : message.id;
		const nodeId = nodeOfWireId(wireId);
		if (nodeId !== undefined && nodeId !== this.#home.nodeId) {
			const there = this.#forward(nodeId, session, message);
			// Progress for what nobody waits for any more is late, not wrong.
			return isCall(message) ? there.then(() => true) : there;
		}
		if (!isCall(message)) return session.answer(message, extra);
		session.progress(message, extra);
		return true;
	}

	async #forward(nodeId: string | undefined, session: NodeSession, message: JsonRpcMessage): Promise<boolean> {
		const forwarded: NodeMessage = { type: 'client-message', sessionId: session.id, message };
		if (nodeId === undefined) {
			await this.#bus.tellAll(forwarded);
			return true;
		}
		if (await this.#home.nodes.isGone(nodeId)) return false;
		await this.#bus.tell(nodeId, forwarded);
		return true;
	}

	/** Gives what another node forwarded to whoever waits for it on this one. */
	deliverHere(session: NodeSession, message: JsonRpcMessage): void {
		if (!isCall(message)) session.answer(message);
		else if (message.method !== 'notifications/cancelled') session.progress(message);
		else {
			const id = message.params?.['requestId'];
			if (typeof id !== 'string' && typeof id !== 'number') return;
			inBackground(session.cancel(id, message), (error) => this.#home.report(error));
		}
	}
}
