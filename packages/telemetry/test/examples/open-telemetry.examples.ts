import { openTelemetry } from '@holdfast/telemetry';
import type { CreateServer } from '@holdfast/transport';
import { HttpTransport } from '@holdfast/transport-http';

export function observe(makeServer: CreateServer): HttpTransport {
	//#region observe
	const transport: HttpTransport = new HttpTransport(makeServer, {
		observe: openTelemetry({ stats: () => [transport.stats()] }),
	});
	//#endregion observe
	return transport;
}
