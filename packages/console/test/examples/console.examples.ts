import { createServer, type IncomingMessage } from 'node:http';
import { Activity, type Operator, OperatorConsole } from '@holdfast/console';
import type { InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager';
import type { CreateServer } from '@holdfast/transport';
import { HttpTransport } from '@holdfast/transport-http';

interface SessionManager {
	readonly streams: StreamSessionManager;
	readonly info: InfoSessionManager;
}

export function observe(makeServer: CreateServer, sessionManager: SessionManager): HttpTransport {
	//#region activity
	const activity = new Activity();
	const transport = new HttpTransport(makeServer, { sessionManager, observe: activity });
	//#endregion activity
	return transport;
}

export function mount(
	makeServer: CreateServer,
	sessionManager: SessionManager,
	operatorOf: (request: IncomingMessage) => Promise<Operator | undefined>,
) {
	//#region mount
	const activity = new Activity();
	const transport = new HttpTransport(makeServer, { sessionManager, observe: activity });
	const operators = new OperatorConsole({
		transport,
		info: sessionManager.info,
		activity,
		authorize: (request) => operatorOf(request),
		actions: ['suspend', 'end'],
		allowedHosts: ['tools.example'],
	});
	const server = createServer((request, response) => {
		operators.handle(request, response, () => transport.handle(request, response));
	});
	//#endregion mount
	return server;
}
