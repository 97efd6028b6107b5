import { randomBytes } from 'node:crypto';
import type { StreamSessionManager } from '@holdfast/session-manager';
import { nodeAddress, type StreamAttachment } from '@holdfast/session-manager/custom';
import { lazy } from '@holdfast/session-manager/internal';
import { isObject, type JsonRpcNotification, type Params } from '../protocol/json-rpc.js';

/** Where changes of resources are told, besides to the sessions that are subscribed to them. */
export const CHANGES = nodeAddress('changes');

/**
 * The list of resources changed for some principals only, which its params name. No client is sent it as it is, and
 * nodes that do not know it tell nobody.
 */
export const RESOURCES_CHANGED_OF = 'holdfast/resources_list_changed';

/** Hears what `notify` tells on any node. */
export interface ChangeListener {
	/** A list or a resource changed. */
	onchange(notification: JsonRpcNotification): void;
	/** Changes may have been missed. */
	ongap(): void;
}

const methods: ReadonlySet<string> = new Set([
	'notifications/tools/list_changed',
	'notifications/prompts/list_changed',
	'notifications/resources/list_changed',
	'notifications/resources/updated',
	RESOURCES_CHANGED_OF,
]);

const feeds = new WeakMap<StreamSessionManager, ChangeFeed>();
const decoder = new TextDecoder();

/**
 * Starts to hear every change that a node tells of through `streams`. Resolves, with a function that stops it, once no
 * later change can be missed. Rejects when the store is unavailable.
 */
export async function listenToChanges(streams: StreamSessionManager, listener: ChangeListener): Promise<() => void> {
	const feed = feeds.get(streams) ?? new ChangeFeed(streams);
	feeds.set(streams, feed);
	await feed.add(listener);
	return () => feed.remove(listener);
}

/**
 * The changes that a manager carries, heard once however many listen in this process. Lists are broadcast to session
 * streams, so the feed holds one that belongs to no session; resources are told to an address.
 */
class ChangeFeed {
	readonly #streams: StreamSessionManager;
	readonly #listeners = new Set<ChangeListener>();
	readonly #id = lazy(() => `changes-${randomBytes(18).toString('base64url')}`);
	#attachments: Promise<readonly (StreamAttachment | void)[]> | undefined;

	constructor(streams: StreamSessionManager) {
		this.#streams = streams;
	}

	async add(listener: ChangeListener): Promise<void> {
		this.#listeners.add(listener);
		this.#attachments ??= this.#open();
		const opening = this.#attachments;
		try {
			await opening;
		} catch (error) {
			if (this.#attachments === opening) this.#attachments = undefined;
			this.#listeners.delete(listener);
			throw error;
		}
	}

	remove(listener: ChangeListener): void {
		this.#listeners.delete(listener);
		const attachments = this.#attachments;
		if (this.#listeners.size > 0 || attachments === undefined) return;
		this.#attachments = undefined;
		attachments.then(
			(opened) => this.#detach(opened),
			() => {},
		);
	}

	async #open(): Promise<readonly (StreamAttachment | void)[]> {
		const controller = {
			enqueue: (chunk: Uint8Array) => this.#receive(decoder.decode(chunk)),
			close() {},
			desiredSize: 1,
		};
		const ongap = () => {
			for (const listener of this.#listeners) listener.ongap();
		};
		const options = { history: false, ongap };
		const lists = await this.#streams.create(this.#id(), controller, options);
		try {
			return [lists, await this.#streams.create(CHANGES, controller, options)];
		} catch (error) {
			this.#detach([lists]);
			throw error;
		}
	}

	#detach(attachments: readonly (StreamAttachment | void)[]): void {
		for (const attachment of attachments) attachment?.detach();
		// Nothing is to be kept of a stream that nobody comes back to.
		for (const id of this.#streams.resumable ? [this.#id()] : [this.#id(), CHANGES]) {
			const deleted = new Promise((resolve) => resolve(this.#streams.delete(id)));
			deleted.catch((error: Error) => this.#streams.onerror?.(error));
		}
	}

	#receive(text: string): void {
		for (const event of text.split('\n\n')) {
			const notification = readChange(event);
			if (notification === undefined) continue;
			for (const listener of this.#listeners) listener.onchange(notification);
		}
	}
}

/** Reads an event; `undefined` for one that tells of no change. */
function readChange(event: string): JsonRpcNotification | undefined {
	const json = /^data: (.+)$/m.exec(event)?.[1];
	if (json === undefined) return undefined;
	let message: unknown;
	try {
		message = JSON.parse(json);
	} catch {
		// Other programs may send what they like through the same manager.
		return undefined;
	}
	if (!isObject(message) || typeof message['method'] !== 'string' || !methods.has(message['method'])) return undefined;
	const { method, params } = message;
	return { jsonrpc: '2.0', method, ...(isObject(params) && { params: params as Params }) };
}
