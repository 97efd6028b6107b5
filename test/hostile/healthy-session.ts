import { expect } from 'vitest';
import { within } from '../support/deadline.ts';

/** A session of a client that does everything right, while others do not. */
export class HealthySession {
	readonly id: string;
	readonly #url: string;
	#pings = 0;

	private constructor(url: string, id: string) {
		this.#url = url;
		this.id = id;
	}

	/** Opens a session at a port of this machine. */
	static async open(port: number, capabilities: object = {}): Promise<HealthySession> {
		const url = `http://127.0.0.1:${port}/mcp`;
		const clientInfo = { name: 'well-behaved', version: '1.0.0' };
		const params = { protocolVersion: '2025-11-25', capabilities, clientInfo };
		const response = await post(url, { jsonrpc: '2.0', id: 'hello', method: 'initialize', params });
		await response.text();
		const id = response.headers.get('mcp-session-id');
		if (id === null) throw new Error(`No session: ${response.status}.`);
		return new HealthySession(url, id);
	}

	/** Sends a message in this session. */
	post(message: object, signal?: AbortSignal): Promise<Response> {
		return post(this.#url, message, this.id, signal);
	}

	/** The session is served as ever. */
	async expectWell(): Promise<void> {
		const id = `ping ${++this.#pings}`;
		const response = await this.post({ jsonrpc: '2.0', id, method: 'ping' });
		expect(await response.json()).toEqual({ jsonrpc: '2.0', id, result: {} });
	}

	async end(): Promise<void> {
		const response = await fetch(this.#url, {
			method: 'DELETE',
			headers: { 'mcp-session-id': this.id, connection: 'close' },
		});
		expect(response.status).toBe(200);
	}
}

function post(url: string, message: object, sessionId?: string, signal: AbortSignal | null = null): Promise<Response> {
	const headers = {
		'content-type': 'application/json',
		accept: 'application/json, text/event-stream',
		...(sessionId !== undefined && { 'mcp-session-id': sessionId }),
	};
	return within(
		fetch(url, { method: 'POST', headers, body: JSON.stringify(message), signal }),
		'a response to a healthy session',
	);
}
