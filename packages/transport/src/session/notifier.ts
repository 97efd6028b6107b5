import type { InfoSessionManager, SessionRecord } from '@holdfast/session-manager';
import type { NodeContext } from '../node/node-context.js';
import { messageEvent } from '../protocol/sse.js';

const listChanged = {
	tools: 'notifications/tools/list_changed',
	prompts: 'notifications/prompts/list_changed',
	resources: 'notifications/resources/list_changed',
} as const;

/** Lists that a server may declare as changing. */
type ListKind = keyof typeof listChanged;

/** Kinds of lists that a server may declare as changing. */
const LIST_KINDS: readonly ListKind[] = Object.freeze(['tools', 'prompts', 'resources'] as const);

/** The event that says that a list changed. */
function listChangedEvent(kind: ListKind): string {
	return messageEvent(JSON.stringify({ jsonrpc: '2.0', method: listChanged[kind] }));
}

/** The event that says that a resource changed. */
function resourceUpdatedEvent(uri: string): string {
	return messageEvent(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } }));
}

/** Where events may be lost, the client of `record` is told to read again whatever they could have been about: by these. */
export async function rereadEvents(info: InfoSessionManager, record: SessionRecord): Promise<string[]> {
	const uris = await info.getSubscribedUris(record.id);
	const lists = LIST_KINDS.filter((kind) => {
		const capability = record.serverCapabilities[kind];
		return (
			typeof capability === 'object' &&
			capability !== null &&
			'listChanged' in capability &&
			capability.listChanged === true
		);
	});
	return [...lists.map(listChangedEvent), ...uris.map(resourceUpdatedEvent)];
}

/**
 * Tells clients of changes, whichever node holds their streams. Each promise resolves once the streams' manager took the
 * message; a client without a stream gets it when it returns, within the retention.
 */
export class Notifier {
	readonly #context: NodeContext;

	constructor(context: NodeContext) {
		this.#context = context;
	}

	/** The resource `uri` changed: tells every session that is subscribed to exactly this URI. */
	async resourceUpdated(uri: string): Promise<void> {
		const ids = await this.#context.info.getSubscriptions(uri);
		if (ids.length > 0) await this.#context.streams.send(ids, resourceUpdatedEvent(uri));
	}

	/** The list of tools changed: tells every session. */
	async toolsChanged(): Promise<void> {
		await this.#context.streams.send(undefined, listChangedEvent('tools'));
	}

	/** The list of prompts changed: tells every session. */
	async promptsChanged(): Promise<void> {
		await this.#context.streams.send(undefined, listChangedEvent('prompts'));
	}

	/** The list of resources changed: tells every session. */
	async resourcesChanged(): Promise<void> {
		await this.#context.streams.send(undefined, listChangedEvent('resources'));
	}
}
