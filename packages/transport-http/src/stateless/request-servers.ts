import type { SdkServer, SdkTransport } from '@holdfast/transport';
import type { JsonRpcNotification, JsonRpcRequest, ServerInlet } from '@holdfast/transport/internal';
import type { McpServer, Server } from '@modelcontextprotocol/server';
import type { SdkV2 } from './load-sdk.js';
import type { CallServer, CreateStatelessServer, ServedCall } from './served-call.js';
import { ToolSchemas } from './tool-schemas.js';

/** How many servers are kept at most for later requests. */
const MAX_IDLE = 256;

const done = Promise.resolve();

/** The transport of a server whose client has its response. */
const nowhere: SdkTransport = { start: () => done, send: () => done, close: () => done };

/** What stands for a response that was written already. */
export const written = {} as Response;

/** Makes servers for requests without a session: one for each or, where they are reused, for as many as run at once. */
export class RequestServers {
	/** Whether a server serves one request after another. */
	readonly areReused: boolean;
	readonly #createServer: CreateStatelessServer;
	readonly #schemas = new ToolSchemas();
	readonly #idle: RequestServer[] = [];

	constructor(createServer: CreateStatelessServer, areReused: boolean) {
		this.#createServer = createServer;
		this.areReused = areReused;
	}

	/** Returns a server that serves nothing else. */
	async take(sdk: SdkV2): Promise<RequestServer> {
		const idle = this.#idle.pop();
		if (idle !== undefined) return idle.anew();
		let server: SdkServer;
		try {
			server = await this.#createServer(undefined);
		} catch (cause) {
			throw new Error('The function that makes servers failed for a request of 2026-07-28.', { cause });
		}
		if (server instanceof sdk.McpServer) this.#schemas.shareWith(server);
		else if (!(server instanceof sdk.Server))
			throw new TypeError(
				'With the option stateless, the function that makes servers must return an McpServer or Server of ' +
					'@modelcontextprotocol/server (SDK v2).',
			);
		return new RequestServer(server, sdk);
	}

	/** Returns whether the SDK's entry, once it has made the server, has no more to ask about a call of `tool`. */
	takesDirectly({ product, inner, isOwnClass }: RequestServer, tool: string): boolean {
		if (inner.transport !== undefined || isOwnClass) return false;
		return product === inner || this.#schemas.isPlain(product as McpServer, tool);
	}

	/** Takes back a closed server. It is used again where it answered: then nothing of its request runs any more. */
	release(server: CallServer, isAnswered: boolean): void {
		if (!(server instanceof RequestServer)) return;
		server.silence();
		if (isAnswered) server.forget();
		if (isAnswered && this.areReused && this.#idle.length < MAX_IDLE) this.#idle.push(server);
	}
}

/** What the SDK's entry tells a server of a request's client. */
interface Told {
	readonly _negotiatedProtocolVersion?: unknown;
	readonly _clientCapabilities?: unknown;
	readonly _clientVersion?: unknown;
}

/** A server of SDK v2 that talks to its client through our call, not the transport that the SDK's entry connects. */
export class RequestServer implements CallServer {
	/** What the function that makes servers returned. */
	readonly product: McpServer | Server;
	/** Whether it may do otherwise than the SDK's own classes. */
	readonly isOwnClass: boolean;
	readonly #connect: SdkServer['connect'];
	#call: ServedCall | undefined;

	constructor(product: McpServer | Server, sdk: SdkV2) {
		this.product = product;
		const { inner } = this;
		const isPlain = Object.getPrototypeOf(inner) === sdk.Server.prototype;
		this.isOwnClass = !isPlain || (product !== inner && Object.getPrototypeOf(product) !== sdk.McpServer.prototype);
		const connect: SdkServer['connect'] = product.connect.bind(product);
		this.#connect = connect;
		const handleMessage = async (message: JsonRpcRequest | JsonRpcNotification) => {
			await this.#call?.run(message);
			return written;
		};
		const connectCall: typeof product.connect = (transport) => {
			if (this.#call === undefined) return connect(transport);
			// Assigned where it is written, V8 would put it, and the request with it, into the old generation.
			Object.assign(transport, { handleMessage });
			return connect(this.#call);
		};
		product.connect = connectCall;
	}

	/** The server beneath an `McpServer`. */
	get inner(): Server {
		const { server: inner = this.product } = this.product as Partial<McpServer> & Server;
		return inner as Server;
	}

	/** Who the server is. The SDK tells nobody; its results say it all the same. */
	get info(): unknown {
		return (this.inner as unknown as { readonly _serverInfo?: unknown })._serverInfo;
	}

	holdsNothing(call: ServerInlet): boolean {
		return !this.isOwnClass && this.inner.onclose === undefined && call.isUnwatched(this.product);
	}

	serve(call: ServedCall): void {
		this.#call = call;
	}

	/** Returns whether the SDK's entry has told the server this of its client. */
	wasToldOf(revision: string, capabilities: unknown, info: unknown): boolean {
		const { _negotiatedProtocolVersion, _clientCapabilities, _clientVersion } = this.inner as unknown as Told;
		return _negotiatedProtocolVersion === revision && _clientCapabilities === capabilities && _clientVersion === info;
	}

	/** Tells the server this of its client, and connects it, as the SDK's entry does. */
	async open(revision: string, capabilities: unknown, info: unknown): Promise<void> {
		const told: Told = {
			_negotiatedProtocolVersion: revision,
			_clientCapabilities: capabilities,
			_clientVersion: info,
		};
		Object.assign(this.inner, told);
		if (this.#call !== undefined) await this.#connect(this.#call);
	}

	/**
	 * Lets what a tool still says after its response go nowhere. The SDK would reject it, and where nobody catches that,
	 * Node.js ends the process.
	 */
	silence(): void {
		Object.assign(this.inner, { _transport: nowhere });
	}

	/** Lets go of the last request. */
	forget(): void {
		this.#call = undefined;
	}

	/** Forgets who asked last: the SDK replaces what it knows of a client only where the next request says it too. */
	anew(): this {
		Object.assign(this.inner, { _transport: undefined, _clientCapabilities: undefined, _clientVersion: undefined });
		return this;
	}
}
