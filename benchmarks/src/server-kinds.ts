import type { RequestListener } from 'node:http';
import type { StoreName } from './servers/managers.js';

/** A server under test: its name in tables, and how its request listener is created. */
export interface ServerKind {
	readonly title: string;
	/** `fixed` sends the same bytes for every request; `mcp` is a real server. */
	readonly responses: 'fixed' | 'mcp';
	/** Which measurement alone it is for; absent: it is compared with raw HTTP. */
	readonly only?: 'nodes' | 'fanout' | 'stateless';
	/** Whether its streams are those of `subscriptions/listen` (2026-07-28), without sessions. */
	readonly listens?: boolean;
	/** Loads only what this kind needs, so that no process loads the modules of another. */
	listener(): Promise<RequestListener>;
}

const kinds = {
	raw: {
		title: 'raw `node:http`',
		responses: 'fixed',
		listener: async () => (await import('./servers/raw-http.js')).rawHttp(),
	},
	'bare-sdk1': {
		title: 'SDK v1 on bare `node:http`, no checks',
		responses: 'mcp',
		listener: async () =>
			(await import('./servers/bare-sdk.js')).bareSdk((await import('./servers/echo-v1.js')).echoV1),
	},
	'bare-sdk2': {
		title: 'SDK v2 on bare `node:http`, no checks',
		responses: 'mcp',
		listener: async () =>
			(await import('./servers/bare-sdk.js')).bareSdk((await import('./servers/echo-v2.js')).echoV2),
	},
	holdfast: {
		title: '**Holdfast** `handle`, SDK v1',
		responses: 'mcp',
		listener: async () =>
			(await import('./servers/holdfast.js')).holdfastHandle((await import('./servers/echo-v1.js')).echoV1),
	},
	'holdfast-plain': {
		title: '**Holdfast** `handle`, SDK v1 with a validator each',
		responses: 'mcp',
		listener: async () =>
			(await import('./servers/holdfast.js')).holdfastHandle((await import('./servers/echo-v1.js')).plainEchoV1),
	},
	'holdfast-respond': {
		title: '**Holdfast** `respond`, SDK v1',
		responses: 'mcp',
		listener: async () =>
			(await import('./servers/holdfast-respond.js')).holdfastRespond((await import('./servers/echo-v1.js')).echoV1),
	},
	'holdfast-hono': {
		title: '**Holdfast** `handle` in Hono’s adapter, SDK v1',
		responses: 'mcp',
		listener: async () =>
			(await import('./servers/holdfast-respond.js')).holdfastInHono((await import('./servers/echo-v1.js')).echoV1),
	},
	'holdfast-sdk2': {
		title: '**Holdfast** `handle`, SDK v2',
		responses: 'mcp',
		listener: async () =>
			(await import('./servers/holdfast.js')).holdfastHandle((await import('./servers/echo-v2.js')).echoV2),
	},
	sdk1: {
		title: 'official SDK v1, stateful',
		responses: 'mcp',
		listener: async () =>
			(await import('./servers/official-v1.js')).officialV1((await import('./servers/echo-v1.js')).echoV1),
	},
	'sdk1-plain': {
		title: 'official SDK v1, stateful, with a validator each',
		responses: 'mcp',
		listener: async () =>
			(await import('./servers/official-v1.js')).officialV1((await import('./servers/echo-v1.js')).plainEchoV1),
	},
	sdk2: {
		title: 'official SDK v2, stateful',
		responses: 'mcp',
		listener: async () => (await import('./servers/official-v2.js')).officialV2(),
	},
	tmcp: {
		title: 'tmcp, in memory',
		responses: 'mcp',
		listener: async () => (await import('./servers/tmcp.js')).tmcp(),
	},
	'stateless-sdk2': {
		title: 'official SDK v2, `createMcpHandler`',
		responses: 'mcp',
		only: 'stateless',
		listener: async () => (await import('./servers/stateless.js')).sdkStateless(),
	},
	'stateless-holdfast': {
		title: '**Holdfast** `handle`',
		responses: 'mcp',
		only: 'stateless',
		listener: async () => (await import('./servers/stateless.js')).holdfastStateless({}),
	},
	'stateless-reuse': {
		title: '**Holdfast** `handle`, servers reused',
		responses: 'mcp',
		only: 'stateless',
		listener: async () => (await import('./servers/stateless.js')).holdfastStateless({ reuseServers: true }),
	},
	'stateless-respond': {
		title: '**Holdfast** `respond`',
		responses: 'mcp',
		only: 'stateless',
		listener: async () => (await import('./servers/stateless.js')).holdfastStatelessRespond(),
	},
	'holdfast-redis': {
		title: '**Holdfast** `handle`, SDK v1, on Redis',
		responses: 'mcp',
		only: 'nodes',
		listener: () => holdfastOn('redis'),
	},
	'holdfast-postgres': {
		title: '**Holdfast** `handle`, SDK v1, on PostgreSQL',
		responses: 'mcp',
		only: 'nodes',
		listener: () => holdfastOn('postgres'),
	},
	'holdfast-sqlite': {
		title: '**Holdfast** `handle`, SDK v1, on SQLite',
		responses: 'mcp',
		only: 'nodes',
		listener: () => holdfastOn('sqlite'),
	},
	'node-redis': {
		title: 'a node on Redis',
		responses: 'mcp',
		only: 'nodes',
		listener: async () => (await import('./servers/echo-node.js')).echoNode('redis'),
	},
	'node-postgres': {
		title: 'a node on PostgreSQL',
		responses: 'mcp',
		only: 'nodes',
		listener: async () => (await import('./servers/echo-node.js')).echoNode('postgres'),
	},
	'node-sqlite': {
		title: 'a node on SQLite',
		responses: 'mcp',
		only: 'nodes',
		listener: async () => (await import('./servers/echo-node.js')).echoNode('sqlite'),
	},
	'node-memory': {
		title: 'a node alone',
		responses: 'mcp',
		only: 'nodes',
		listener: async () => (await import('./servers/echo-node.js')).echoNode('memory'),
	},
	'streams-socket': {
		title: 'raw sockets',
		responses: 'fixed',
		only: 'fanout',
		listener: async () => (await import('./servers/fanout.js')).rawStreams('socket'),
	},
	'streams-raw': {
		title: 'raw `node:http` streams',
		responses: 'fixed',
		only: 'fanout',
		listener: async () => (await import('./servers/fanout.js')).rawStreams('response'),
	},
	'streams-memory': {
		title: '**Holdfast** in memory',
		responses: 'mcp',
		only: 'fanout',
		listener: async () => (await import('./servers/fanout.js')).holdfastStreams('memory'),
	},
	'streams-redis': {
		title: '**Holdfast** on Redis',
		responses: 'mcp',
		only: 'fanout',
		listener: async () => (await import('./servers/fanout.js')).holdfastStreams('redis'),
	},
	'streams-postgres': {
		title: '**Holdfast** on PostgreSQL',
		responses: 'mcp',
		only: 'fanout',
		listener: async () => (await import('./servers/fanout.js')).holdfastStreams('postgres'),
	},
	'streams-sqlite': {
		title: '**Holdfast** on SQLite',
		responses: 'mcp',
		only: 'fanout',
		listener: async () => (await import('./servers/fanout.js')).holdfastStreams('sqlite'),
	},
	'streams-listen': {
		title: '**Holdfast** in memory, `subscriptions/listen`',
		responses: 'mcp',
		only: 'fanout',
		listens: true,
		listener: async () => (await import('./servers/fanout.js')).listenStreams('memory'),
	},
	'streams-redis-listen': {
		title: '**Holdfast** on Redis, `subscriptions/listen`',
		responses: 'mcp',
		only: 'fanout',
		listens: true,
		listener: async () => (await import('./servers/fanout.js')).listenStreams('redis'),
	},
	'streams-postgres-listen': {
		title: '**Holdfast** on PostgreSQL, `subscriptions/listen`',
		responses: 'mcp',
		only: 'fanout',
		listens: true,
		listener: async () => (await import('./servers/fanout.js')).listenStreams('postgres'),
	},
	'streams-sqlite-listen': {
		title: '**Holdfast** on SQLite, `subscriptions/listen`',
		responses: 'mcp',
		only: 'fanout',
		listens: true,
		listener: async () => (await import('./servers/fanout.js')).listenStreams('sqlite'),
	},
	'streams-sdk2-listen': {
		title: 'official SDK v2, `subscriptions/listen`',
		responses: 'mcp',
		only: 'fanout',
		listens: true,
		listener: async () => (await import('./servers/fanout.js')).officialListenStreams(),
	},
	'streams-tmcp': {
		title: 'tmcp in memory',
		responses: 'mcp',
		only: 'fanout',
		listener: async () => (await import('./servers/tmcp.js')).tmcp(),
	},
	'streams-sdk1': {
		title: 'official SDK v1 in memory',
		responses: 'mcp',
		only: 'fanout',
		listener: async () => (await import('./servers/fanout.js')).officialStreams(),
	},
	'streams-sdk2': {
		title: 'official SDK v2 in memory',
		responses: 'mcp',
		only: 'fanout',
		listener: async () => (await import('./servers/fanout.js')).officialStreamsV2(),
	},
} satisfies Record<string, ServerKind>;

export type ServerKindName = keyof typeof kinds;

/** Every server under test, in the order of the tables. */
export const serverKinds: Readonly<Record<ServerKindName, ServerKind>> = kinds;

export const serverKindNames = Object.keys(kinds).filter(isServerKindName);

export function isServerKindName(name: string): name is ServerKindName {
	return Object.hasOwn(kinds, name);
}

async function holdfastOn(store: StoreName): Promise<RequestListener> {
	const { transportOn } = await import('./servers/managers.js');
	const { echoV1 } = await import('./servers/echo-v1.js');
	return (await import('./servers/holdfast.js')).holdfastHandle(echoV1, await transportOn(store));
}
