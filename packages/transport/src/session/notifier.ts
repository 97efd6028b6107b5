import type { InfoSessionManager, SessionRecord } from '@holdfast/session-manager';
import { RESOURCES_CHANGED_OF } from '../cluster/change-feed.js';
import type { NodeContext } from '../node/node-context.js';
import { messageEvent } from '../protocol/sse.js';
import { type AudienceOf, type Audiences, admission } from './audiences.js';

const listChanged = {
	tools: 'notifications/tools/list_changed',
	prompts: 'notifications/prompts/list_changed',
	resources: 'notifications/resources/list_changed',
} as const;

/** A kind of list that a server may declare as changing. */
type ListKind = keyof typeof listChanged;

const LIST_KINDS: readonly ListKind[] = Object.freeze(['tools', 'prompts', 'resources'] as const);

/** Returns the event of a changed list. */
function listChangedEvent(kind: ListKind): string {
	return messageEvent(JSON.stringify({ jsonrpc: '2.0', method: listChanged[kind] }));
}

/** Returns the event of a changed resource. */
function resourceUpdatedEvent(uri: string): string {
	return messageEvent(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } }));
}

/**
 * Returns the events that make the client of `record` read everything again that changed unnoticed where events may be
 * lost: one for each list that its server declares as changing, one for each subscribed resource.
 */
export async function rereadEvents(info: InfoSessionManager, record: SessionRecord): Promise<string[]> {
	const uris = await info.getSubscribedUris(record.id);
	const lists = LIST_KINDS.filter((kind) => declares(record, kind));
	return [...lists.map(listChangedEvent), ...uris.map(resourceUpdatedEvent)];
}

/** Returns whether the server of a session declares that a list changes. */
function declares({ serverCapabilities }: SessionRecord, kind: ListKind): boolean {
	const capability = serverCapabilities[kind];
	return (
		typeof capability === 'object' &&
		capability !== null &&
		'listChanged' in capability &&
		capability.listChanged === true
	);
}

/**
 * Notifies clients of changes, whichever node holds their streams. Each promise resolves once the stream manager has
 * taken the message. A client without an open stream gets it when it comes back within the retention. Each method
 * rejects with `SessionManagerError` when the store is unavailable.
 *
 * @example
 * ```ts source="test/examples/notifier.examples.ts#notifier"
 * await saveReport();
 * // Reaches every session that is subscribed to this URI, whichever node holds its stream.
 * await transport.notify.resourceUpdated('file:///report.md');
 * ```
 */
export class Notifier {
	readonly #context: NodeContext;
	readonly #audiences: Audiences;
	readonly #addresses: readonly string[];

	/** `addresses` are told of changed resources, too. */
	constructor(context: NodeContext, audiences: Audiences, addresses: readonly string[] = []) {
		this.#context = context;
		this.#audiences = audiences;
		this.#addresses = addresses;
	}

	/**
	 * Tells every session that is subscribed to exactly `uri` that the resource changed (2025-11-25, Resources,
	 * Subscriptions). Rejects, once all others are told, where nobody could say of some whether they may hear it (see
	 * {@link restrict}).
	 */
	async resourceUpdated(uri: string): Promise<void> {
		const subscribed = await this.#context.info.getSubscriptions(uri);
		const isAdmitted = this.#audiences.of(uri, 'notice');
		const told =
			isAdmitted === undefined
				? { admitted: subscribed, unknown: [] }
				: await admission(subscribed, async (id) => {
						const record = await this.#context.info.read(id);
						return record !== undefined && isAdmitted(record.principal);
					});
		const ids = told.admitted.concat(this.#addresses);
		if (ids.length > 0) await this.#context.streams.send(ids, resourceUpdatedEvent(uri));
		if (told.unknown.length > 0) throw told.error;
	}

	/**
	 * Restricts who hears of resources, in both eras: whoever is not admitted cannot subscribe, is not told of it on a
	 * listen stream, and hears nothing more once they are not admitted any more. Call it on every node, before the first
	 * request; several rules must all admit. That events may have been lost is told to all, since it tells of nothing.
	 *
	 * @example
	 * ```ts source="test/examples/notifier.examples.ts#restrict"
	 * transport.notify.restrict((uri) => {
	 * 	if (!uri.startsWith('report://')) return undefined; // everybody
	 * 	return (principal) => mayRead(principal, uri);
	 * });
	 * ```
	 */
	restrict(audienceOf: AudienceOf): void {
		this.#audiences.add(audienceOf);
	}

	/**
	 * Tells every session that the list of tools changed.
	 *
	 * @example
	 * ```ts source="test/examples/notifier.examples.ts#lists"
	 * await Promise.all([notify.toolsChanged(), notify.promptsChanged(), notify.resourcesChanged()]);
	 * ```
	 */
	async toolsChanged(): Promise<void> {
		await this.#context.streams.send(undefined, listChangedEvent('tools'));
	}

	/** Tells every session that the list of prompts changed. */
	async promptsChanged(): Promise<void> {
		await this.#context.streams.send(undefined, listChangedEvent('prompts'));
	}

	/**
	 * Tells every session that the list of resources changed; with `principals`, only theirs, and what they listen to in
	 * 2026-07-28.
	 */
	async resourcesChanged(principals?: readonly string[]): Promise<void> {
		const { streams } = this.#context;
		if (principals === undefined) return streams.send(undefined, listChangedEvent('resources'));
		if (principals.length === 0) return;
		if (this.#addresses.length > 0) {
			const message = { jsonrpc: '2.0', method: RESOURCES_CHANGED_OF, params: { principals } };
			await streams.send(this.#addresses, messageEvent(JSON.stringify(message)));
		}
		const ids: string[] = [];
		for (const principal of new Set(principals)) ids.push(...(await this.#listingSessionsOf(principal)));
		if (ids.length > 0) await streams.send(ids, listChangedEvent('resources'));
	}

	/** Returns the sessions of a principal whose list of resources changes; none that has ended and is kept. */
	async #listingSessionsOf(principal: string): Promise<string[]> {
		const { info } = this.#context;
		const ids = await info.sessionsOf(principal);
		const records = await Promise.all(ids.map((id) => info.read(id)));
		const listing = records.filter((record) => record !== undefined && declares(record, 'resources'));
		return listing.map((record) => record?.id ?? '');
	}
}
