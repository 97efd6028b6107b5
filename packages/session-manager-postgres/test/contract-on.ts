import {
	PostgresInfoSessionManager,
	PostgresStreamSessionManager,
	postgresSchemaSql,
} from '@holdfast/session-manager-postgres';
import type { Ability, Backend } from '@holdfast/session-manager-test-kit';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { afterAll, beforeAll } from 'vitest';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import type { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';

const abilities: readonly Ability[] = [
	...(['streams', 'info', 'keepsEnded', 'capacity', 'registry', 'history', 'limits', 'oneOrder'] as const),
	...(['crossNode', 'partition', 'outages', 'durable', 'dataLoss'] as const),
];

/** Runs the contracts of both managers on one server. Each node has a way to it that can be cut. */
export function describeContractOn(start: () => Promise<PostgresServer>): void {
	let server: PostgresServer;
	const schemas = new Schemas();
	beforeAll(async () => {
		server = await start();
	});
	afterAll(() => server?.dispose());

	describeContract({
		abilities,
		async createPeers(count, limits) {
			const schema = await schemas.take(server);
			const proxies = await Promise.all(Array.from({ length: count }, () => TcpProxy.to(server.port)));
			const peers = proxies.map(({ port }) => {
				const url = server.url.replace(`:${server.port}/`, `:${port}/`);
				return {
					streams: new PostgresStreamSessionManager(url, { ...limits, schema }),
					info: new PostgresInfoSessionManager(url, { ...limits, schema }),
				};
			});
			const managers = peers.flatMap(({ streams, info }) => [streams, info]);
			let closing: Promise<unknown> | undefined;
			const close = async () => {
				await Promise.all(managers.map((manager) => manager.close()));
				closing ??= Promise.all(proxies.map((proxy) => proxy.dispose())).then(() => schemas.free.push(schema));
				await closing;
			};
			// A busy machine may take longer to connect than a call waits.
			for (const { streams, info } of peers) {
				await until(
					'the node is connected',
					async () => !(await streams.has('nobody')) && !(await info.read('nobody')),
				);
			}
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

async function empty(server: PostgresServer, schema: string): Promise<void> {
	const tables = ['session', 'subscription', 'state', 'lease', 'node', 'life', 'stream', 'event'];
	const names = tables.map((table) => `"${schema}".${table}`).join(', ');
	await server.query(`truncate ${names}; update "${schema}".counter set sessions = 0`);
}
