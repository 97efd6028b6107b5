import { createServer } from 'node:http';
import { PROMETHEUS_CONTENT_TYPE, PrometheusMetrics } from '@holdfast/telemetry/prometheus';
import type { CreateServer } from '@holdfast/transport';
import { HttpTransport } from '@holdfast/transport-http';

export function serve(makeServer: CreateServer): HttpTransport {
	//#region serve
	const metrics = new PrometheusMetrics({ stats: () => [transport.stats()] });
	const transport: HttpTransport = new HttpTransport(makeServer, { observe: metrics });
	const scraped = createServer((_request, response) => {
		response.writeHead(200, { 'content-type': PROMETHEUS_CONTENT_TYPE }).end(metrics.text());
	});
	scraped.listen(9464, '127.0.0.1');
	//#endregion serve
	return transport;
}
