import type { Cores } from './cores.js';
import { assertEchoes, openSessions } from './mcp-client.js';
import { commonHeaders, echoCall, echoText, statelessHeaders, statelessMeta, versionHeader } from './mcp-messages.js';
import type { Plan } from './plan.js';
import { type ServerKindName, serverKinds } from './server-kinds.js';
import { ServerProcess } from './server-process.js';
import { type LoadResult, runWrk } from './wrk.js';

const firstId = 1_000_000;
const sizeTolerance = 0.02;

/** In which era calls are made: each in a session that exists, or without one (2026-07-28). */
export type Era = 'sessions' | 'stateless';

/** A server, with established sessions where there are any, ready to be measured with `tools/call`. */
export class CallTarget implements AsyncDisposable {
	readonly server: ServerProcess;
	readonly #cores: Cores | undefined;
	readonly #requestStarts: readonly string[];
	readonly #requestEnd: string;
	#bytesPerResponse = 0;

	/** Starts a server, opens its sessions, checks a response in each, and warms it up under load that is checked too. */
	static async prepare(
		kind: ServerKindName,
		plan: Plan,
		cores: Cores | undefined,
		era: Era = serverKinds[kind].only === 'stateless' ? 'stateless' : 'sessions',
	): Promise<CallTarget> {
		const server = await ServerProcess.start(kind, cores);
		try {
			const sessions = era === 'stateless' ? [undefined] : await openSessions(server, plan.callSessions);
			await assertEchoes(server, sessions);
			const target = new CallTarget(server, sessions, cores);
			await target.#warmUp(plan);
			return target;
		} catch (error) {
			await server[Symbol.asyncDispose]();
			throw error;
		}
	}

	private constructor(server: ServerProcess, sessions: readonly (string | undefined)[], cores: Cores | undefined) {
		this.server = server;
		this.#cores = cores;
		const requests = sessions.map((session) => requestAround(server.port, session));
		this.#requestStarts = requests.map(({ start }) => start);
		this.#requestEnd = requests[0]?.end ?? '';
	}

	/** Calls the echo tool as fast as responses arrive. */
	load(connections: number, durationMs: number): Promise<LoadResult> {
		return this.#run('nothing', connections, durationMs);
	}

	/**
	 * Returns what was wrong with the responses of a timed run, or `undefined`. Each must have the size that was checked.
	 */
	problemOf(result: LoadResult): string | undefined {
		if (result.failed > 0) return `${this.server.kind}: ${result.failed} of ${result.completed} calls failed`;
		if (result.completed === 0) return `${this.server.kind}: no call got a response`;
		// The tolerance covers responses cut off at the end of the run, and the occasional slow one that was sent as SSE.
		const expected = this.#bytesPerResponse * result.completed;
		const allowed = sizeTolerance * expected + 100 * this.#bytesPerResponse;
		if (Math.abs(result.bytes - expected) <= allowed) return undefined;
		const size = (result.bytes / result.completed).toFixed(0);
		return `${this.server.kind}: responses of ${size} bytes, but ${this.#bytesPerResponse.toFixed(0)} were checked`;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.server[Symbol.asyncDispose]();
	}

	async #warmUp(plan: Plan): Promise<void> {
		const { kind } = this.server;
		const check = serverKinds[kind].responses === 'mcp' ? 'id' : 'text';
		const slice = plan.warmUpMs / (plan.concurrency.length + 1);
		const checked = await this.#run(check, Math.max(...plan.concurrency), slice);
		if (checked.failed > 0 || checked.completed === 0) {
			throw new Error(
				`The server "${kind}" sent wrong responses to ${checked.failed} of ${checked.completed} calls under load.`,
			);
		}
		this.#bytesPerResponse = checked.bytes / checked.completed;
		for (const connections of plan.concurrency) await this.load(connections, slice);
	}

	#run(check: 'nothing' | 'text' | 'id', connections: number, durationMs: number): Promise<LoadResult> {
		// Each run uses other ids, because the server may still be busy with the last call of the previous run.
		const id = firstId + Math.floor(Math.random() * 4 * firstId);
		const args = [check, String(id), echoText, this.#requestEnd, ...this.#requestStarts];
		return runWrk(this.server, { script: 'calls', args, connections, threads: 1, durationMs }, this.#cores);
	}
}

/** Returns the bytes of a `tools/call` request before and after its id, which always has seven digits. */
function requestAround(port: number, session: string | undefined): { start: string; end: string } {
	const body = echoCall(firstId, session === undefined ? statelessMeta : undefined);
	const [before = '', end = ''] = body.split(String(firstId));
	const own = session === undefined ? statelessHeaders : { ...versionHeader, 'Mcp-Session-Id': session };
	const headers = {
		Host: `127.0.0.1:${port}`,
		...commonHeaders,
		...own,
		'Content-Length': String(Buffer.byteLength(body)),
	};
	const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
	return { start: `POST /mcp HTTP/1.1\r\n${lines.join('')}\r\n${before}`, end };
}
