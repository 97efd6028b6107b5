import type { Agent } from 'node:http';
import { expect } from 'vitest';
import type { WireResponse } from '../../support/clients/wire-response.ts';
import { within } from '../../support/deadline.ts';
import { sendOverHttp } from '../../support/doors.ts';
import { checkBody } from '../check-response.ts';
import { type Expected, expectedOf, type HostileRequest } from './mcp-exchange.ts';
import type { JsonValue } from './mcp-messages.ts';

const good = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };

/** A client with a session of its own that sends whatever it is told, one request after another. */
export class HostileClient {
	readonly #agent: Agent;
	readonly #port: number;
	readonly #revision: string;
	/** The id under which another session is being asked. */
	readonly #wireId: string;
	#session: string;
	#turn: Promise<void> = Promise.resolve();

	private constructor(agent: Agent, port: number, revision: string, wireId: string, session: string) {
		this.#agent = agent;
		this.#port = port;
		this.#revision = revision;
		this.#wireId = wireId;
		this.#session = session;
	}

	/** Opens a session of `revision`. */
	static async open(agent: Agent, port: number, revision: string, wireId: string): Promise<HostileClient> {
		const client = new HostileClient(agent, port, revision, wireId, '');
		client.#session = await client.#initialize();
		return client;
	}

	/** Sends `request` once those before it are answered, and checks what comes. */
	try(request: HostileRequest): Promise<void> {
		const turn = this.#turn.then(() => this.#try(request));
		this.#turn = turn.catch(() => {});
		return turn;
	}

	/** Ends the session. */
	end(): Promise<void> {
		return this.#delete(this.#session);
	}

	async #try(request: HostileRequest): Promise<void> {
		const node = this.#wireId.slice(0, this.#wireId.indexOf(':'));
		const text = 'text' in request.body ? request.body.text : JSON.stringify(request.body.value);
		const body = text.replaceAll('$WIRE', this.#wireId).replaceAll('$NODE', node);
		const sent = 'text' in request.body ? request : { ...request, body: { value: JSON.parse(body) as JsonValue } };
		const expected = expectedOf(sent, this.#revision);
		const answer = await this.#send(request, body);
		await this.#check(answer, expected, sent);
		if (answer.status !== 200) return;
		const opened = answer.headers.get('mcp-session-id');
		if (request.method === 'DELETE') this.#session = await this.#initialize();
		else if (opened !== null && opened !== this.#session) await this.#delete(opened);
	}

	#send(request: HostileRequest, body: string): Promise<WireResponse> {
		const { method, path, session, version, accept, contentType, origin, lastEventId } = request;
		const headers = {
			accept,
			'content-type': contentType,
			'mcp-session-id': session === 'own' ? this.#session : session?.text,
			'mcp-protocol-version': version,
			origin,
			'last-event-id': lastEventId,
		};
		const sent = sendOverHttp(this.#agent, this.#port, { method, path, headers, ...(method === 'POST' && { body }) });
		return within(sent, 'the head of an answer');
	}

	async #check(
		answer: WireResponse,
		{ statuses, code, answered, maybeAnswered = [], stream = false }: Expected,
		request: HostileRequest,
	): Promise<void> {
		expect(statuses, `Received: ${answer.received}`).toContain(answer.status);
		if (stream && answer.status === 200) {
			expect(answer.isStream).toBe(true);
			return answer.drop();
		}
		const body = await answer.text();
		if (code !== undefined && body !== '') {
			const refusal = JSON.parse(body);
			expect(refusal).toMatchObject({ error: { code } });
			expect([null, idIn(request)]).toContain(refusal.id);
		}
		if (answered === undefined) return checkBody(answer.status, answer.headers.get('content-type') ?? '', body);
		const messages: Answer[] = answer.isStream
			? answer.messages.map(({ message }) => message)
			: [JSON.parse(body)].flat();
		const answers = messages.filter(({ method }) => method === undefined);
		for (const one of answers) checkBody(200, 'application/json', JSON.stringify(one));
		const ids = answers.map(({ id }) => id).filter((id) => !maybeAnswered.includes(id as JsonValue));
		expect(ids).toHaveLength(answered.length);
		expect(ids).toEqual(expect.arrayContaining([...answered]));
	}

	async #initialize(): Promise<string> {
		const params = { protocolVersion: this.#revision, capabilities: {}, clientInfo: { name: 'hostile', version: '1' } };
		const body = JSON.stringify({ jsonrpc: '2.0', id: 'hello', method: 'initialize', params });
		const answer = await sendOverHttp(this.#agent, this.#port, { headers: good, body });
		await answer.ended();
		return answer.headers.get('mcp-session-id') ?? '';
	}

	async #delete(session: string): Promise<void> {
		const answer = await sendOverHttp(this.#agent, this.#port, {
			method: 'DELETE',
			headers: { 'mcp-session-id': session },
		});
		await answer.ended();
		expect(answer.status).toBe(200);
	}
}

interface Answer {
	readonly id?: unknown;
	readonly method?: string;
}

/** The id of the request in a body. */
function idIn({ body }: HostileRequest): JsonValue | undefined {
	const value = 'value' in body ? body.value : undefined;
	return typeof value === 'object' && value !== null && !Array.isArray(value) ? value['id'] : undefined;
}
