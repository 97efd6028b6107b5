import { randomBytes } from 'node:crypto';
import type { InfoSessionManager } from '@holdfast/session-manager';
import { placeOf } from '@holdfast/session-manager/custom';
import { hashedId } from '../short-hash.js';
import { reasonOf } from '../store/open-store.js';
import type { Report } from './finding.js';
import { type Reply, send } from './http.js';
import type { Patience } from './patience.js';
import { examineStream } from './stream.js';

/** How many sessions are opened, and how many requests each gets: enough to reach several nodes. */
const SESSIONS = 4;
const REQUESTS = 4;
/** A name under which nobody is reached (RFC 2606). */
const FOREIGN = 'holdfast-doctor.invalid';

const initialize = JSON.stringify({
	jsonrpc: '2.0',
	id: 1,
	method: 'initialize',
	params: {
		protocolVersion: '2025-11-25',
		capabilities: {},
		clientInfo: { name: 'holdfast-doctor', version: '1' },
	},
});
const initialized = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
const ping = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'ping' });

/** Examines an endpoint as clients see it, and whether it keeps its sessions in the store of `info`. */
export async function examineEndpoint(
	url: string,
	token: string | undefined,
	info: InfoSessionManager | undefined,
	patience: Patience,
	report: Report,
): Promise<void> {
	const endpoint = new Endpoint(url, token);
	try {
		const first = await endpoint.open();
		if (first.status !== 200) return refused(first, token, report);
		if (first.headers['set-cookie'] !== undefined) {
			const what = 'The balancer sets a cookie to keep clients at one node; MCP clients keep no cookies.';
			report(
				'sticky-cookie',
				what,
				'Turn its sticky sessions off and balance round-robin: any node can serve any session.',
			);
		}
		const id = sessionOf(first);
		// A server without sessions has nothing that could be apart.
		if (id !== undefined) await examineSessions(endpoint, id, info, patience, report);
		await examineForeigners(endpoint, report);
	} catch (error) {
		const what = `${placeOf(url)} cannot be reached: ${reasonOf(error)}.`;
		report(
			'endpoint-unreachable',
			what,
			'See that the balancer runs, that its address is right, and that a node is ready.',
		);
	} finally {
		await endpoint.close();
	}
}

/** The endpoint, with the sessions that were opened at it. */
class Endpoint {
	readonly url: string;
	readonly #authorization: Readonly<Record<string, string>>;
	readonly #opened: string[] = [];

	constructor(url: string, token: string | undefined) {
		this.url = url;
		this.#authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
	}

	/** The headers of every request of a session. */
	headersOf(sessionId: string): Record<string, string> {
		return { ...this.#authorization, 'mcp-session-id': sessionId, 'mcp-protocol-version': '2025-11-25' };
	}

	post(body: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
		const own = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
		return send(this.url, 'POST', { ...own, ...this.#authorization, ...headers }, body);
	}

	/** Opens a session. */
	async open(headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
		const reply = await this.post(initialize, headers);
		const id = sessionOf(reply);
		if (id !== undefined) this.#opened.push(id);
		return reply;
	}

	/** Ends the sessions that were opened. */
	async close(): Promise<void> {
		await Promise.allSettled(this.#opened.map((id) => send(this.url, 'DELETE', this.headersOf(id))));
	}
}

function sessionOf({ headers }: Reply): string | undefined {
	const id = headers['mcp-session-id'];
	return typeof id === 'string' ? id : undefined;
}

function refused({ status }: Reply, token: string | undefined, report: Report): void {
	if (status === 401 || status === 403) {
		const what = `The endpoint refuses ${token === undefined ? 'requests without a token' : 'the token'} (${status}).`;
		return report(
			'endpoint-refuses',
			what,
			'Put a token that it takes into HOLDFAST_TOKEN, and the host into allowedHosts.',
		);
	}
	const what = `The endpoint answers initialize with ${status}.`;
	if (status >= 500) report('endpoint-errors', what, 'See the logs of the balancer and the nodes; a node may be away.');
	else report('endpoint-refuses', what, 'Give the address with its path, such as https://host/mcp.');
}

async function examineSessions(
	endpoint: Endpoint,
	first: string,
	info: InfoSessionManager | undefined,
	patience: Patience,
	report: Report,
): Promise<void> {
	if (info !== undefined && !((await info.read(first)) ?? (await info.read(hashedId(first))))) {
		const what = 'A session of the endpoint is not in the store: its nodes use another one.';
		report('other-store', what, 'Give every node the same store, keyPrefix or schema as here.');
	}
	if (await examineBalancing(endpoint, first, report)) {
		const headers = endpoint.headersOf(first);
		await examineStream(endpoint.url, headers, patience, report);
	}
	const { status } = await endpoint.post(ping, endpoint.headersOf(randomBytes(24).toString('base64url')));
	if (status === 404) return;
	const what = `A request with an unknown session id gets ${status}, not 404: clients do not begin anew.`;
	report('unknown-session', what, 'Let the 404 of the nodes pass through the proxy; error pages must not replace it.');
}

/** Sends requests of several sessions, each on a connection of its own. Returns whether all were served. */
async function examineBalancing(endpoint: Endpoint, first: string, report: Report): Promise<boolean> {
	const more = await Promise.all(Array.from({ length: SESSIONS - 1 }, () => endpoint.open()));
	const ids = [first, ...more.map(sessionOf).filter((id) => id !== undefined)];
	const statuses: number[] = more.map(({ status }) => status);
	for (const id of ids) {
		const headers = endpoint.headersOf(id);
		statuses.push((await endpoint.post(initialized, headers)).status);
		const pings = Array.from({ length: REQUESTS }, () => endpoint.post(ping, headers));
		statuses.push(...(await Promise.all(pings)).map(({ status }) => status));
	}
	const lost = statuses.filter((status) => status === 404).length;
	const failed = statuses.filter((status) => status >= 500).length;
	if (lost > 0) {
		const what = `${lost} of ${statuses.length} requests of living sessions got 404: the nodes do not share sessions.`;
		const repair = 'Give all nodes the same sessionManager over one store; no sticky or hash balancing is needed then.';
		report('sessions-apart', what, repair);
	}
	if (failed > 0) {
		const what = `${failed} of ${statuses.length} requests got ${statuses.find((status) => status >= 500)}.`;
		report('endpoint-errors', what, 'See the logs of the balancer and the nodes; a node may be away.');
	}
	return lost + failed === 0;
}

async function examineForeigners(endpoint: Endpoint, report: Report): Promise<void> {
	if ((await endpoint.open({ host: FOREIGN })).status < 300) {
		const what = 'A request that names a foreign Host is served: a web page could reach the server (DNS rebinding).';
		report('foreign-host', what, "Pass the client's Host through the proxy, and list the right names in allowedHosts.");
	}
	if ((await endpoint.open({ origin: `https://${FOREIGN}` })).status < 300) {
		const what = 'A request of a foreign Origin is served: any web page could use the server.';
		report('foreign-origin', what, 'List the web pages that may use it in allowedOrigins, and pass Origin through.');
	}
}
