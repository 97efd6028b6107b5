import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { within } from '../support/deadline.ts';
import { type Door, sendOverHttp } from '../support/doors.ts';

/** `handle` on a real server whose connections can be counted. */
export class CountingDoor implements Door {
	readonly name = 'handle';
	/** Where the server listens. */
	port = 0;
	readonly #agent = new Agent({ keepAlive: true });
	#count: () => Promise<number> = async () => 0;

	/** Connections that the server has open. */
	count(): Promise<number> {
		return this.#count();
	}

	/** Closes the connections of the client that does everything right. */
	leave(): void {
		this.#agent.destroy();
	}

	readonly open: Door['open'] = async (transport) => {
		const server = createServer(transport.handle);
		await new Promise<void>((resolve) => {
			server.listen(0, '127.0.0.1', resolve);
		});
		this.port = (server.address() as AddressInfo).port;
		this.#count = () =>
			new Promise((resolve, reject) => {
				server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
			});
		return {
			name: 'handle',
			origin: `http://127.0.0.1:${this.port}`,
			send: (request) => within(sendOverHttp(this.#agent, this.port, request), 'the head of an answer'),
			close: async () => {
				this.leave();
				server.closeAllConnections();
				await new Promise((resolve) => server.close(resolve));
			},
		};
	};
}
