// The examples in the doc comments of server-transport.ts.
import { createServer, type Server } from 'node:http';
import { type CreateServer, ServerTransport } from '../../src/index.ts';
import { type HttpExchange, isAtPath, type LocalSession, problems, refuse } from '../../src/internal.ts';

export function subclass(createMcpServer: CreateServer): ServerTransport {
	//#region subclass
	class DeleteOnlyTransport extends ServerTransport {
		protected override isOurs = (target: string) => isAtPath(target, '/sessions');

		protected override examine = (exchange: HttpExchange) => ({ sessionId: exchange.header('mcp-session-id') });

		protected override async route(exchange: HttpExchange, session?: LocalSession): Promise<void> {
			if (session === undefined || exchange.method !== 'DELETE') return refuse(exchange, problems.methodNotAllowed);
			await this.terminate(session.id, 'the client ended it');
			exchange.respond(200, {}, undefined);
		}
	}
	//#endregion subclass
	return new DeleteOnlyTransport(createMcpServer, {});
}

export function handle(transport: ServerTransport): void {
	//#region handle
	const server = createServer((request, response) => {
		transport.handle(request, response, () => {
			response.writeHead(404).end('There is no MCP endpoint at this path.');
		});
	});
	server.listen(3000, '127.0.0.1');
	//#endregion handle
}

export function respond(transport: ServerTransport): (request: Request) => Promise<Response> {
	//#region respond
	async function serve(request: Request): Promise<Response> {
		const response = await transport.respond(request);
		return response ?? new Response('Not Found', { status: 404 });
	}
	//#endregion respond
	return serve;
}

export async function notify(transport: ServerTransport): Promise<void> {
	//#region notify
	await transport.notify.resourceUpdated('file:///report.md');
	await transport.notify.toolsChanged();
	//#endregion notify
}

export async function terminate(transport: ServerTransport, sessionId: string): Promise<void> {
	//#region terminate
	await transport.terminate(sessionId, 'the account was closed');
	// From now on, every node responds with 404 to requests of this session.
	//#endregion terminate
}

export async function suspend(transport: ServerTransport, sessionId: string): Promise<boolean> {
	//#region suspend
	const suspended = await transport.suspend(sessionId);
	// The next request resumes the session; `false` means that it is in use, for example.
	//#endregion suspend
	return suspended;
}

export async function principals(transport: ServerTransport, principal: string): Promise<void> {
	//#region principals
	for (const { id } of await transport.principals.list(principal)) {
		await transport.terminate(id, 'the user signed out everywhere');
	}
	//#endregion principals
}

export function isReady(transport: ServerTransport): void {
	//#region isReady
	const probes = createServer(async (_request, response) => {
		response.writeHead((await transport.isReady()) ? 200 : 503).end();
	});
	probes.listen(9000);
	//#endregion isReady
}

export async function nodes(transport: ServerTransport): Promise<void> {
	//#region nodes
	for (const { id, state, counts } of await transport.nodes()) console.log(id, state, counts['sessions']);
	//#endregion nodes
}

export function drain(transport: ServerTransport, server: Server): void {
	//#region drain
	process.once('SIGTERM', async () => {
		await transport.drain({ timeoutMs: 20_000 });
		server.close();
	});
	//#endregion drain
}
