import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwtAuthenticator } from '@holdfast/auth-jwt';
import { Activity } from '@holdfast/console';
import { PrometheusMetrics } from '@holdfast/telemetry/prometheus';
import { HttpTransport, shutdown } from '@holdfast/transport-http';
import { SseTransport } from '@holdfast/transport-sse';
import { type ConsoleServer, serveConsole } from './console-server.js';
import { listen } from './listen.js';
import { type MetricsServer, serveMetrics } from './metrics-server.js';
import type { SdkVersion, ServerOptions } from './options.js';
import { slowWorkOf } from './slow-work.js';
import { openStore } from './stores.js';
import type { Node } from './tool.js';

/** How long idle connections are kept, in milliseconds: longer than any balancer keeps them by default. */
const KEEP_ALIVE_MS = 65_000;

/** A running server. */
export interface EverythingServer {
	/** The URL that clients connect to. */
	readonly url: string;
	/** Where its metrics are, if they are served. */
	readonly metricsUrl: string | undefined;
	/** Where its console is, if it is served: the address opens it once. */
	readonly consoleUrl: string | undefined;
	/**
	 * Shuts down gracefully: reports not ready, moves clients to other nodes, lets calls end, then closes the port and
	 * the store.
	 */
	stop(): Promise<void>;
	/** Shuts down at once: running calls get an error. */
	stopNow(): Promise<void>;
}

/** Starts the server that `options` describe. Rejects with `ListenError` when it cannot listen. */
export async function startServer(options: ServerOptions): Promise<EverythingServer> {
	const { makeServer } = await loadSdk(options.sdk);
	const store = await openStore(options.store);
	const metrics: PrometheusMetrics | undefined =
		options.metricsPort === undefined ? undefined : new PrometheusMetrics({ stats: () => [http.stats(), sse.stats()] });
	const activity = options.consolePort === undefined ? undefined : new Activity();
	const observe = [metrics, activity].filter((observer) => observer !== undefined);
	const shared = {
		...(observe.length > 0 && { observe }),
		sessionManager: { streams: store.streams, info: store.info },
		allowedHosts: ['localhost', '127.0.0.1', '[::1]', inUrl(options.host), ...options.allowedHosts],
		keepAliveMs: options.keepAliveMs,
		suspendAfterMs: options.suspendAfterMs,
		keepEndedMs: options.keepEndedMs,
		maxSessionsPerPrincipal: options.maxSessionsPerPrincipal,
		...(options.jwtSecret !== undefined && { authenticate: authenticator(options.jwtSecret) }),
		onerror: (error: Error) => console.error(error),
	};
	const { responseMode, idleTtlMs, sseGraceMs: graceMs } = options;
	const http: HttpTransport = new HttpTransport((session) => makeServer(session, node), {
		...shared,
		responseMode,
		idleTtlMs,
		...(options.stateless && { stateless: { requestState: { keys: keysOf(options) }, tasks: {} } }),
	});
	const { nodeId, notify, tasks } = http;
	const compute = tasks.restartable('restartable_compute', slowWorkOf(nodeId));
	const node: Node = { nodeId, notify, tasks, compute, stateOf: (context, handle) => http.stateOf(context, handle) };
	// Clients of both transports get notifications from either, so one node serves the tools of both.
	const sse: SseTransport = new SseTransport((session) => makeServer(session, node), { ...shared, graceMs });
	const server = createServer((request, response) => {
		const path = request.url?.split('?', 1)[0];
		if (path === '/healthz') sendHealth(request, response, 200, { status: 'ok', nodeId: http.nodeId });
		else if (path === '/readyz') void sendReadiness(request, response);
		else sse.handle(request, response, () => http.handle(request, response));
	});
	// Balancers must let go of idle connections before this server does, and not only by a second.
	server.keepAliveTimeout = KEEP_ALIVE_MS;
	async function sendReadiness(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const isReady = (await http.isReady()) && (await sse.isReady());
		sendHealth(request, response, isReady ? 200 : 503, { ready: isReady });
	}
	let metricsServer: MetricsServer | undefined;
	let consoleServer: ConsoleServer | undefined;
	const closeBeside = () => {
		metricsServer?.close();
		consoleServer?.close();
	};
	try {
		if (metrics !== undefined)
			metricsServer = await serveMetrics(metrics, options.metricsPort ?? 0, options.metricsHost);
		if (activity !== undefined)
			consoleServer = await serveConsole({ transport: http, info: store.info, activity }, options.consolePort ?? 0);
		await listen(server, options.port, options.host, { port: '--port', host: '--host' });
	} catch (error) {
		closeBeside();
		await Promise.all([http.close(), sse.close()]);
		await store.close();
		throw error;
	}
	const atOnce = new AbortController();
	// It closes the managers, too.
	const stop = () =>
		shutdown(server, [http, sse], {
			delayMs: options.drainDelayMs,
			timeoutMs: options.drainTimeoutMs,
			idleConnectionsMs: options.drainIdleMs,
			signal: atOnce.signal,
		}).finally(closeBeside);
	return {
		url: `http://${authority(server, options.host)}/mcp`,
		metricsUrl: metricsServer?.url,
		consoleUrl: consoleServer?.url,
		stop,
		stopNow() {
			atOnce.abort();
			return stop();
		},
	};
}

/** A fixture knows neither the issuer of its tokens nor its own public name. */
function authenticator(secret: string) {
	return jwtAuthenticator({ secret, issuer: 'any', audience: 'any', requireExpiry: false });
}

/** Nodes that share a store need the same keys; a node alone can make one. */
function keysOf({ requestStateKeys }: ServerOptions): readonly (string | Uint8Array)[] {
	return requestStateKeys.length > 0 ? requestStateKeys : [randomBytes(32)];
}

/** Loads only the requested SDK. */
function loadSdk(sdk: SdkVersion) {
	return sdk === 'v1' ? import('./sdk-v1.js') : import('./sdk-v2.js');
}

function sendHealth(request: IncomingMessage, response: ServerResponse, status: number, body: object): void {
	if (request.method !== 'GET' && request.method !== 'HEAD') {
		response.writeHead(405, { Allow: 'GET, HEAD' }).end();
		return;
	}
	const json = JSON.stringify(body);
	response.writeHead(status, {
		'Content-Type': 'application/json',
		'Content-Length': Buffer.byteLength(json),
		'Cache-Control': 'no-store',
	});
	response.end(json);
}

/** Returns host and port as in a URL; an address that means "every address" becomes one that can be called. */
function authority(server: Server, host: string): string {
	const { port } = server.address() as AddressInfo;
	return `${host === '0.0.0.0' || host === '::' ? 'localhost' : inUrl(host)}:${port}`;
}

function inUrl(host: string): string {
	return host.includes(':') ? `[${host}]` : host;
}
