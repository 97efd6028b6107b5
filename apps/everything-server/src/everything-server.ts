import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwtAuthenticator } from '@holdfast/auth-jwt';
import { HttpTransport } from '@holdfast/transport-http';
import { closesGently } from './gentle-close.js';
import type { SdkVersion, ServerOptions } from './options.js';
import { openStore } from './stores.js';

/** Requests that are still being sent when the server stops may take so long to end. */
const GRACE_MS = 2_000;

/** A server that listens. */
export interface EverythingServer {
	/** Where clients connect to. */
	readonly url: string;
	/** Is not ready any more, ends the streams, lets go of the port and the store. */
	stop(): Promise<void>;
}

/** Starts the server that `options` describe; rejects when it cannot listen. */
export async function startServer(options: ServerOptions): Promise<EverythingServer> {
	const { makeServer } = await loadSdk(options.sdk);
	const store = openStore(options.store);
	const transport: HttpTransport = new HttpTransport((session) => makeServer(session, transport), {
		sessionManager: { streams: store.streams, info: store.info },
		allowedHosts: ['localhost', '127.0.0.1', '[::1]', inUrl(options.host), ...options.allowedHosts],
		responseMode: options.responseMode,
		keepAliveMs: options.keepAliveMs,
		idleTtlMs: options.idleTtlMs,
		...(options.jwtSecret !== undefined && { authenticate: authenticator(options.jwtSecret) }),
		onerror: (error) => console.error(error),
	});
	let ready = true;
	const http = createServer((request, response) => {
		const path = request.url?.split('?', 1)[0];
		if (path === '/healthz') answerHealth(request, response, 200, { status: 'ok', nodeId: transport.nodeId });
		else if (path === '/readyz') void answerReady(request, response);
		else transport.handle(request, response);
	});
	async function answerReady(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const isReady = ready && (await transport.isReady());
		answerHealth(request, response, isReady ? 200 : 503, { ready: isReady });
	}
	const closeHttp = closesGently(http, GRACE_MS);
	try {
		await listen(http, options);
	} catch (error) {
		await transport.close();
		await store.close();
		throw error;
	}
	return {
		url: `http://${authority(http, options.host)}/mcp`,
		async stop() {
			ready = false;
			await Promise.all([closeHttp(), transport.close()]);
			await store.close();
		},
	};
}

/** A fixture does not know who will issue its tokens, nor under which name it is called. */
function authenticator(secret: string) {
	return jwtAuthenticator({ secret, issuer: 'any', audience: 'any', requireExpiry: false });
}

/** Loads only the SDK that is asked for. */
function loadSdk(sdk: SdkVersion) {
	return sdk === 'v1' ? import('./sdk-v1.js') : import('./sdk-v2.js');
}

function answerHealth(request: IncomingMessage, response: ServerResponse, status: number, body: object): void {
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

function listen(http: Server, { port, host }: ServerOptions): Promise<void> {
	return new Promise((resolve, reject) => {
		http.once('error', reject);
		http.listen(port, host, () => {
			http.off('error', reject);
			resolve();
		});
	});
}

/** Host and port as a URL has them; an address that means "every address" is one that can be called. */
function authority(http: Server, host: string): string {
	const { port } = http.address() as AddressInfo;
	return `${host === '0.0.0.0' || host === '::' ? 'localhost' : inUrl(host)}:${port}`;
}

function inUrl(host: string): string {
	return host.includes(':') ? `[${host}]` : host;
}
