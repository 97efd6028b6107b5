import { Agent } from 'node:http';
import { onTestFinished } from 'vitest';
import type { Loose, Received, WireResponse } from '../../../../../test/support/clients/wire-response.ts';
import { within } from '../../../../../test/support/deadline.ts';
import { sendOverHttp } from '../../../../../test/support/doors.ts';
import type { Target } from './cluster.ts';

const version = '2025-11-25';
// Connections are not used again: a node that was killed would take the next request down with it.
const agent = new Agent({ keepAlive: false });

/** All that a client can do. */
export const everyCapability = { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } };

/** A session over bare HTTP, each request of which is sent to the node that the test chooses. */
export class WireSession {
	readonly id: string;
	readonly #token: string | undefined;
	#requests = 0;

	/** Uses the session `id`, with a bearer token where one is given. */
	constructor(id: string, token?: string) {
		this.id = id;
		this.#token = token;
	}

	/** Opens a session at `target`. */
	static async open(target: Target, capabilities: object = {}, token?: string): Promise<WireSession> {
		const params = { protocolVersion: version, capabilities, clientInfo: { name: 'wire', version: '1' } };
		const answer = await send(target, 'POST', bearer(token), { id: 0, method: 'initialize', params });
		const { result } = await answer.answer();
		const id = answer.headers.get('mcp-session-id');
		if (result === undefined || id === null)
			throw new Error(`No session was opened: ${answer.status} ${answer.received}`);
		const session = new WireSession(id, token);
		await session.post(target, { method: 'notifications/initialized' });
		return session;
	}

	/** An id that no request of this session had. */
	nextId(): number {
		return ++this.#requests;
	}

	/** Sends one message. */
	post(target: Target, message: object): Promise<WireResponse> {
		return send(target, 'POST', this.#headers(), message);
	}

	/** Sends a request, under an id of its own. */
	request(target: Target, method: string, params: object = {}, id = this.nextId()): Promise<WireResponse> {
		return this.post(target, { id, method, params });
	}

	/** Calls a tool. */
	call(target: Target, name: string, args: object = {}, id = this.nextId()): Promise<WireResponse> {
		return this.request(target, 'tools/call', { name, arguments: args }, id);
	}

	/** Calls a tool; what it answers. */
	async result(target: Target, name: string, args: object = {}): Promise<Loose> {
		return structured(await (await this.call(target, name, args)).answer());
	}

	/** What `session_info` tells at `target`. */
	info(target: Target): Promise<Loose> {
		return this.result(target, 'session_info');
	}

	/** Answers a request of the server. */
	answer(target: Target, { id }: { readonly id?: Received['id'] | undefined }, result: object): Promise<WireResponse> {
		return this.post(target, { id, result });
	}

	/** Opens the session stream, or goes on with a stream after `lastEventId`. */
	stream(target: Target, lastEventId?: string): Promise<WireResponse> {
		const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
		return send(target, 'GET', { ...this.#headers(), ...headers });
	}

	/** Opens the session stream; it is ready when this resolves. */
	async open(target: Target, lastEventId?: string): Promise<WireResponse> {
		const stream = await this.stream(target, lastEventId);
		if (!stream.isStream) throw new Error(`No stream: ${stream.status} ${await stream.text()}`);
		return stream;
	}

	/** Ends the session. */
	end(target: Target): Promise<WireResponse> {
		return send(target, 'DELETE', this.#headers());
	}

	/** The status of a ping. */
	async ping(target: Target): Promise<number> {
		const answer = await this.request(target, 'ping');
		await answer.text();
		return answer.status;
	}

	#headers(): Record<string, string> {
		return { 'mcp-session-id': this.id, 'mcp-protocol-version': version, ...bearer(this.#token) };
	}
}

function bearer(token: string | undefined): Record<string, string> {
	return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** The structured content that a tool answered. */
export function structured({ result, error }: Received): Loose {
	if (result === undefined || result.isError) throw new Error(`The tool failed: ${JSON.stringify(result ?? error)}`);
	return result.structuredContent;
}

/** The numbers that were logged on a stream, in order. */
export function numbers(stream: WireResponse): number[] {
	return stream.messages
		.filter(({ message }) => message.method === 'notifications/message')
		.map(({ message }) => message.params.data.n);
}

/** Numbers from `first` to `last`. */
export function range(first: number, last: number): number[] {
	return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

async function send(
	{ port }: Target,
	method: string,
	headers: Record<string, string>,
	message?: object,
): Promise<WireResponse> {
	const accept = method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream';
	const body = message && JSON.stringify({ jsonrpc: '2.0', ...message });
	const answer = await within(
		sendOverHttp(agent, port, {
			method,
			headers: { accept, ...(body && { 'content-type': 'application/json' }), ...headers },
			...(body && { body }),
		}),
		`an answer to ${method} ${body ?? ''}`,
		SEND_DEADLINE_MS,
	);
	onTestFinished(() => answer.drop());
	return answer;
}

const SEND_DEADLINE_MS = 10_000;
