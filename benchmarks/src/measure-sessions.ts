import type { Cores } from './cores.js';
import { assertEchoes, openSessions } from './mcp-client.js';
import { commonHeaders, initialize, initialized, versionHeader } from './mcp-messages.js';
import { type Measurement, ratioTable, type Sample } from './measurement.js';
import type { Plan } from './plan.js';
import type { ServerKindName } from './server-kinds.js';
import { ServerProcess } from './server-process.js';
import { type LoadResult, runWrk } from './wrk.js';

/**
 * Measures how many sessions can be opened per second: `initialize` and `notifications/initialized`; they stay open.
 */
export async function measureSessions(
	plan: Plan,
	cores: Cores | undefined,
	log: (line: string) => void,
): Promise<Measurement> {
	const samples: Sample[] = [];
	const problems: string[] = [];
	const load = async (server: ServerProcess): Promise<LoadResult> => {
		const result = await loadSessions(server, 'keep', plan.openingClients, plan.measureMs, cores);
		if (result.failed > 0) problems.push(`${server.kind}: ${result.failed} requests failed that open sessions`);
		if (result.completed === 0) problems.push(`${server.kind}: no session was opened`);
		return result;
	};
	await using raw = await warmServer('raw', plan, cores);
	for (let round = 0; round < plan.sessionRounds; round++) {
		for (const kind of plan.kinds) {
			log(`sessions: round ${round + 1} of ${plan.sessionRounds}, ${kind}`);
			// A new server for each round, because the sessions of a round stay in its memory.
			await using server = await warmServer(kind, plan, cores);
			const before = await load(raw);
			const result = await load(server);
			samples.push({ kind, round, result, raw: [before, await load(raw)] });
			await assertEchoes(server, await openSessions(server, 1));
		}
	}
	const title = `Sessions opened (\`initialize\` + \`notifications/initialized\`) by ${plan.openingClients} clients`;
	return { tables: [{ title, markdown: ratioTable(samples, 'sessions') }], problems };
}

/** Starts a server, checks it, and warms it up with sessions that are closed again. */
export async function warmServer(kind: ServerKindName, plan: Plan, cores: Cores | undefined): Promise<ServerProcess> {
	const server = await ServerProcess.start(kind, cores);
	try {
		await assertEchoes(server, await openSessions(server, 1));
		const { completed, failed } = await loadSessions(server, 'end', plan.openingClients, plan.warmUpMs, cores);
		if (failed === 0 && completed > 0) return server;
		throw new Error(
			`The server "${kind}" refused ${failed} requests while ${completed} sessions were opened and ended.`,
		);
	} catch (error) {
		await server[Symbol.asyncDispose]();
		throw error;
	}
}

/** Opens sessions as fast as responses arrive. */
export function loadSessions(
	server: ServerProcess,
	then: 'keep' | 'end',
	clients: number,
	durationMs: number,
	cores: Cores | undefined,
): Promise<LoadResult> {
	const shared = headerLines({ Host: `127.0.0.1:${server.port}`, ...commonHeaders });
	const args = [then, shared, headerLines(versionHeader), initialize, initialized];
	return runWrk(server, { script: 'sessions', args, connections: clients, threads: clients, durationMs }, cores);
}

function headerLines(headers: Readonly<Record<string, string>>): string {
	return Object.entries(headers)
		.map(([name, value]) => `${name}: ${value}\r\n`)
		.join('');
}
