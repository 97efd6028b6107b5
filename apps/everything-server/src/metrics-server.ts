import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PROMETHEUS_CONTENT_TYPE, type PrometheusMetrics } from '@holdfast/telemetry/prometheus';
import { listen } from './listen.js';

/** Serves metrics until it is closed. */
export interface MetricsServer {
	readonly url: string;
	close(): void;
}

/**
 * Serves metrics at /metrics of a port of its own: no balancer that passes requests on to this server can show them to
 * clients. Rejects with `ListenError` when it cannot listen.
 */
export async function serveMetrics(metrics: PrometheusMetrics, port: number, host: string): Promise<MetricsServer> {
	const server = createServer((request, response) => {
		if (request.url !== '/metrics') return response.writeHead(404).end();
		if (request.method !== 'GET') return response.writeHead(405, { Allow: 'GET' }).end();
		return response.writeHead(200, { 'Content-Type': PROMETHEUS_CONTENT_TYPE }).end(metrics.text());
	});
	await listen(server, port, host, { port: '--metrics', host: '--metrics-host' });
	const { port: taken } = server.address() as AddressInfo;
	return {
		url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}/metrics`,
		close() {
			server.close();
			server.closeAllConnections();
		},
	};
}
