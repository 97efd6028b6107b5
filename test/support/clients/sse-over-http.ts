import { Agent } from 'node:http';
import { onTestFinished } from 'vitest';
import { within } from '../deadline.ts';
import { sendOverHttp } from '../doors.ts';
import { type Postable, SseClient } from './sse-client.ts';
import type { WireResponse } from './wire-response.ts';

/** Where requests are sent: a node of this machine, or a balancer. */
export interface Target {
	readonly port: number;
}

// Connections are not used again: a node that was killed would take the next request down with it.
const agent = new Agent({ keepAlive: false });
const SEND_DEADLINE_MS = 10_000;

/** A node, or the balancer, as what takes the POSTs of a session. */
export function posts({ port }: Target): Postable {
	return {
		post: (path, body, headers = {}) =>
			send(port, 'POST', path, { 'content-type': 'application/json', ...headers }, JSON.stringify(body)),
	};
}

/** Opens a stream at `target`, where its POSTs go too until they are sent elsewhere. */
export async function openSse(target: Target): Promise<SseClient> {
	const stream = await send(target.port, 'GET', '/sse', { accept: 'text/event-stream' });
	const { data } = await stream.event(0);
	return new SseClient(posts(target), stream, data ?? '', {});
}

/** Opens a session whose stream is at `target`. */
export async function openSseSession(target: Target, capabilities: object = {}): Promise<SseClient> {
	const client = await openSse(target);
	await client.initialize({ capabilities });
	await client.notify('notifications/initialized');
	return client;
}

async function send(
	port: number,
	method: string,
	path: string,
	headers: Readonly<Record<string, string | undefined>>,
	body?: string,
): Promise<WireResponse> {
	const request = { method, path, headers, ...(body !== undefined && { body }) };
	const answer = await within(sendOverHttp(agent, port, request), `an answer to ${method} ${path}`, SEND_DEADLINE_MS);
	onTestFinished(() => answer.drop());
	return answer;
}
