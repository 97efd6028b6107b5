/** What a client asks to hear of, or is told that it will (2026-07-28, Subscriptions). */
export interface ListenFilter {
	readonly toolsListChanged?: true;
	readonly promptsListChanged?: true;
	readonly resourcesListChanged?: true;
	readonly resourceSubscriptions?: readonly string[];
	/** Tasks whose changes are told (SEP-2663). */
	readonly taskIds?: readonly string[];
}

/** The capabilities of a server, as far as they say what it tells of. */
export interface ChangeCapabilities {
	readonly tools?: { readonly listChanged?: boolean | undefined } | undefined;
	readonly prompts?: { readonly listChanged?: boolean | undefined } | undefined;
	readonly resources?:
		| { readonly listChanged?: boolean | undefined; readonly subscribe?: boolean | undefined }
		| undefined;
}

/** The longest URI of a resource, in characters, as for subscriptions of sessions. */
const MAX_URI_LENGTH = 8_192;

/** Reads `params.notifications` of `subscriptions/listen`. Returns a message that says what is wrong, if it is. */
export function readFilter(notifications: unknown, maxUris: number): ListenFilter | string {
	if (typeof notifications !== 'object' || notifications === null || Array.isArray(notifications))
		return "Invalid params: 'notifications' is required and must be an object.";
	const { resourceSubscriptions, taskIds = [], ...lists } = notifications as Record<string, unknown>;
	const filter: { -readonly [Key in keyof ListenFilter]: ListenFilter[Key] } = {};
	for (const name of ['toolsListChanged', 'promptsListChanged', 'resourcesListChanged'] as const) {
		const wanted = lists[name];
		if (wanted !== undefined && typeof wanted !== 'boolean') return `Invalid params: ${name} must be a boolean.`;
		if (wanted) filter[name] = true;
	}
	if (!Array.isArray(taskIds) || !taskIds.every((id) => typeof id === 'string'))
		return 'Invalid params: taskIds must be strings.';
	if (taskIds.length > maxUris) return `Invalid params: a stream may hear of ${maxUris} tasks.`;
	if (taskIds.length > 0) filter.taskIds = [...new Set<string>(taskIds)];
	if (resourceSubscriptions === undefined) return filter;
	if (!Array.isArray(resourceSubscriptions) || !resourceSubscriptions.every(isUri))
		return `Invalid params: resourceSubscriptions must be strings of at most ${MAX_URI_LENGTH} characters.`;
	const uris = [...new Set<string>(resourceSubscriptions)];
	if (uris.length > maxUris) return `Invalid params: a stream may be subscribed to ${maxUris} resources.`;
	if (uris.length > 0) filter.resourceSubscriptions = uris;
	return filter;
}

/** Returns what of `filter` a server with these capabilities tells of. */
export function honoured(filter: ListenFilter, { tools, prompts, resources }: ChangeCapabilities): ListenFilter {
	const { toolsListChanged, promptsListChanged, resourcesListChanged, resourceSubscriptions } = filter;
	return {
		...(toolsListChanged && tools?.listChanged && { toolsListChanged }),
		...(promptsListChanged && prompts?.listChanged && { promptsListChanged }),
		...(resourcesListChanged && resources?.listChanged && { resourcesListChanged }),
		...(resourceSubscriptions && resources?.subscribe && { resourceSubscriptions }),
	};
}

function isUri(uri: unknown): uri is string {
	// Lone surrogates are all the same once encoded, and so would be the resources.
	return typeof uri === 'string' && uri.length <= MAX_URI_LENGTH && !/\p{Surrogate}/u.test(uri);
}
