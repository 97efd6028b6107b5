import {
	PostgresInfoSessionManager,
	PostgresStreamSessionManager,
	postgresSchemaSql,
} from '@holdfast/session-manager-postgres';
import type { Ability, Backend, Peer, PeerLimits } from '@holdfast/session-manager-test-kit';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { afterAll, beforeAll } from 'vitest';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import type { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';

const failures: readonly Ability[] = ['crossNode', 'partition', 'outages', 'durable', 'dataLoss'];

/** Runs the contract of stream managers on one server. */
export function describeStreamsOn(start: () => Promise<PostgresServer>): void {
	describeOn(start, ['streams', 'history', 'limits', 'oneOrder'], (url, options) => {
		const streams = new PostgresStreamSessionManager(url, options);
		return { peer: { streams }, isConnected: async () => !(await streams.has('nobody')) };
	});
}

/** Runs the contract of info managers on one server. */
export function describeInfoOn(start: () => Promise<PostgresServer>): void {
	describeOn(start, ['info', 'keepsEnded', 'capacity', 'makesRoom', 'registry', 'kinds'], (url, options) => {
		const info = new PostgresInfoSessionManager(url, options);
		return { peer: { info }, isConnected: async () => !(await info.read('nobody')) };
	});
}

/**
 * Each node has a way to the server that can be cut. It has one manager only, because a connection costs a process of
 * PostgreSQL, and no case needs both.
 */
function describeOn(
	start: () => Promise<PostgresServer>,
	abilities: readonly Ability[],
	connect: (url: string, options: PeerLimits & { schema: string }) => { peer: Peer; isConnected(): Promise<boolean> },
): void {
	let server: PostgresServer;
	const schemas = new Schemas();
	beforeAll(async () => {
		server = await start();
	});
	afterAll(() => server?.dispose());

	describeContract({
		abilities: [...abilities, ...failures],
		async createPeers(count, limits) {
			const schema = await schemas.take(server);
			const proxies = await Promise.all(Array.from({ length: count }, () => TcpProxy.to(server.port)));
			const nodes = proxies.map(({ port }) =>
				connect(server.url.replace(`:${server.port}/`, `:${port}/`), { ...limits, schema }),
			);
			const peers = nodes.map(({ peer }) => peer);
			let closing: Promise<unknown> | undefined;
			const close = async () => {
				await Promise.all(peers.map(({ streams, info }) => (streams ?? info)?.close()));
				closing ??= Promise.all(proxies.map((proxy) => proxy.dispose())).then(() => schemas.free.push(schema));
				await closing;
			};
			// A busy machine may take longer to connect than a call waits.
			for (const { isConnected } of nodes) await until('the node is connected', isConnected);
			return { peers, backend: backendOf(server, proxies, schema), close };
		},
	});
}

function backendOf(server: PostgresServer, proxies: readonly TcpProxy[], schema: string): Required<Backend> {
	return {
		cutOff: (index) => proxies[index]?.refuse(),
		rejoin: (index) => proxies[index]?.flow(),
		fail: () => server.pause(),
		heal: () => server.resume(),
		async restart() {
			await server.stop();
			await server.start();
		},
		loseData: () => empty(server, schema),
	};
}

/** Making a schema takes longer than emptying one. */
class Schemas {
	readonly free: string[] = [];
	#made = 0;

	async take(server: PostgresServer): Promise<string> {
		const free = this.free.pop();
		const schema = free ?? `kit_${++this.#made}`;
		if (free === undefined) await server.query(postgresSchemaSql(schema));
		else await empty(server, schema);
		return schema;
	}
}

/** Few rows are deleted sooner than tables are truncated. */
async function empty(server: PostgresServer, schema: string): Promise<void> {
	const tables = ['session', 'owner', 'subscription', 'state', 'lease', 'node', 'life', 'stream', 'event'];
	const deletes = tables.map((table) => `delete from "${schema}".${table}`);
	// Managers rely on an epoch: a server that loses it loses their connections as well.
	const rest = [`update "${schema}".counter set sessions = 0, records = 0`, `select "${schema}".epoch()`];
	await server.query([...deletes, ...rest].join('; '));
}
