import { createServer, type IncomingMessage, type Server, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How often nodes are asked whether they are ready, in milliseconds. */
const PROBE_MS = 50;

/** What a Service of Kubernetes does: it takes the nodes in turn that say that they are ready. */
export class Balancer {
	readonly #ports: readonly number[];
	readonly #server: Server;
	#ready: readonly number[] = [];
	#turn = 0;
	#closed = false;

	constructor(ports: readonly number[]) {
		this.#ports = ports;
		this.#server = createServer(async (request, response) => {
			const body: Buffer[] = [];
			for await (const chunk of request) body.push(chunk);
			this.#forward(request, response, Buffer.concat(body), this.#ports.length);
		});
		void this.#watch();
	}

	/** Listens; resolves with its URL once all nodes are ready. */
	async listen(): Promise<string> {
		await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
		await this.hasReady(this.#ports.length);
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/mcp`;
	}

	/** Resolves once so many nodes are ready. */
	async hasReady(count: number): Promise<void> {
		while (this.#ready.length !== count) await pause();
	}

	close(): void {
		this.#closed = true;
		this.#server.close();
		this.#server.closeAllConnections();
	}

	#forward(request: IncomingMessage, response: ServerResponse, body: Buffer, tries: number): void {
		const port = this.#ready[this.#turn++ % this.#ready.length];
		if (port === undefined) {
			response.writeHead(503).end();
			return;
		}
		const { url: path, method, headers } = request;
		const onward = send({ host: '127.0.0.1', port, path, method, headers, agent: false }, (answer) => {
			response.writeHead(answer.statusCode ?? 502, answer.headers);
			answer.pipe(response);
			// A stream that ends early is passed on as it is.
			answer.once('error', () => response.destroy());
		});
		onward.once('error', (error: NodeJS.ErrnoException) => {
			// A node that has just gone has not begun anything.
			if (error.code === 'ECONNREFUSED' && tries > 1) this.#forward(request, response, body, tries - 1);
			else if (response.headersSent) response.destroy();
			else response.writeHead(502).end(error.message);
		});
		response.once('close', () => onward.destroy());
		onward.end(body);
	}

	async #watch(): Promise<void> {
		while (!this.#closed) {
			const ready = await Promise.all(this.#ports.map(isReady));
			this.#ready = this.#ports.filter((_, index) => ready[index]);
			await pause();
		}
	}
}

function pause(): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, PROBE_MS));
}

function isReady(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const probe = send({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (answer) => {
			answer.resume();
			resolve(answer.statusCode === 200);
		});
		probe.once('error', () => resolve(false));
		probe.end();
	});
}
