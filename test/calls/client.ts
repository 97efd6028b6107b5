import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProcess } from '../history/node-process.ts';
import type { Random } from '../history/random.ts';
import {
	type Attempt,
	type Call,
	type Exchange,
	type Nodes,
	now,
	type Plan,
	type Question,
	readEnd,
	type Session,
} from './record.ts';
import { type Answer, type Outgoing, send } from './wire.ts';

type Message = { readonly [key: string]: unknown };

/** What a client is given. */
export interface ClientOptions {
	readonly name: string;
	readonly nodes: Nodes;
	readonly random: Random;
	/** Aborts once nobody waits for anything any more. */
	readonly stopped: AbortSignal;
	/** Whether the tool of a call said that it began. */
	begun(nonce: string): boolean;
}

/** A client of either transport that sends everything to a node of its choice and notes all that comes of it. */
export abstract class Client {
	readonly session: Session;
	readonly calls: Call[] = [];
	protected readonly random: Random;
	protected readonly stopped: AbortSignal;
	readonly #options: ClientOptions;

	constructor(options: ClientOptions, transport: Session['transport']) {
		const { name, random, stopped } = options;
		this.#options = options;
		this.random = random;
		this.stopped = stopped;
		this.session = {
			name,
			transport,
			exchanges: [],
			deletedAt: undefined,
			deletingAt: undefined,
			streamLost: false,
			wrongs: [],
		};
	}

	/** Begins its session; tries until a node takes it. */
	abstract initialize(): Promise<void>;

	/** Calls the tool, and comes back for the answer until the call is over. */
	async call(plan: Plan): Promise<void> {
		const node = this.pickNode();
		if (node === undefined) return;
		const call: Call = {
			nonce: `${this.session.name}.${this.calls.length}${String.fromCharCode(97 + this.random.int(0, 25))}`,
			session: this.session,
			plan,
			node: node.incarnation,
			begunAt: now(),
			status: undefined,
			ends: [],
			questions: [],
			cancels: [],
			dropped: false,
			resumes: 0,
			lastNote: 0,
			lookedAgain: false,
			over: undefined,
			wrongs: [],
		};
		this.calls.push(call);
		await Promise.all([this.run(call, node), plan.kind === 'cancelled' && this.#cancel(call)]);
	}

	/** Ends what is left of it. */
	abstract close(): Promise<void>;

	/** Sends the call to `node`, and reads until it is over. */
	protected abstract run(call: Call, node: NodeProcess): Promise<void>;

	/** A POST of a message. */
	protected abstract post(body: Message): Outgoing;

	/** Sends a request to `node`, or to any, and notes what it answered. */
	async exchange(
		what: string,
		outgoing: Outgoing,
		node = this.pickNode(),
	): Promise<(Answer & { attempt: Attempt }) | { attempt: Attempt }> {
		const attempt: Attempt = { sentAt: now(), answeredAt: undefined, status: undefined };
		const { incarnation = '', origin } = node ?? {};
		const answer = origin === undefined ? undefined : await send(origin, outgoing);
		if (answer === undefined) return { attempt };
		attempt.answeredAt = now();
		attempt.status = answer.status;
		this.note({ what, node: incarnation, sentAt: attempt.sentAt, status: answer.status });
		return { ...answer, attempt };
	}

	protected note(exchange: Exchange): void {
		this.session.exchanges.push(exchange);
	}

	/** A node that lives, as far as a balancer knows; `undefined` where there is none. */
	protected pickNode(): NodeProcess | undefined {
		const nodes = this.#options.nodes().filter(({ origin }) => origin !== undefined);
		return nodes.length === 0 ? undefined : this.random.pick(nodes);
	}

	/** The request that makes a call. */
	protected requestOf({ nonce, plan: { ms, notes, bytes, question } }: Call): Message {
		const params = { name: 'work', arguments: { nonce, ms, notes, bytes, ...(question && { question }) } };
		return { jsonrpc: '2.0', id: nonce, method: 'tools/call', params };
	}

	/** Takes a message of the stream of `call`. */
	protected take(call: Call, message: Message): void {
		const { id, method, params } = message as {
			id?: string | number;
			method?: string;
			params?: { data?: { nonce: string; n: number }; _meta?: { progressToken?: string | number } };
		};
		if (method === undefined) call.ends.push(readEnd(call, message));
		else if (id !== undefined) {
			if (!JSON.stringify(params).includes(`"${call.nonce}"`)) call.wrongs.push(`a foreign question: ${method} ${id}`);
			if (call.questions.some(({ wireId }) => wireId === id)) call.wrongs.push('a question came twice');
			else void this.#answer(call, method, String(id), params?._meta?.progressToken);
		} else if (params?.data !== undefined) {
			const { nonce, n } = params.data;
			if (nonce !== call.nonce) call.wrongs.push(`a foreign note: ${nonce}`);
			else if (n <= call.lastNote) call.wrongs.push(`note ${n} came after note ${call.lastNote}`);
			else call.lastNote = n;
		}
	}

	protected get isStopped(): boolean {
		return this.stopped.aborted;
	}

	/**
	 * Tells of progress, sometimes, and then answers, each through any node, until one takes it or refuses it for good.
	 */
	async #answer(call: Call, method: string, wireId: string, progressToken: unknown): Promise<void> {
		const { random } = this;
		const word = `w${random.int(0, 1e9)}`;
		const question: Question = { wireId, word, progress: [], answers: [] };
		call.questions.push(question);
		if (random.chance(0.3)) await sleep(random.int(0, 300));
		if (progressToken !== undefined && random.chance(0.7)) {
			for (let value = 1; value <= random.int(1, 3); value++) {
				const told = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: value } };
				const { attempt } = await this.exchange('progress', this.post(told));
				question.progress.push({ value, attempt });
			}
		}
		const result =
			method === 'elicitation/create'
				? { action: 'accept', content: { word } }
				: { role: 'assistant', model: 'm', content: { type: 'text', text: word } };
		await this.#insist(question.answers, 'answer', { jsonrpc: '2.0', id: wireId, result }, () => false);
	}

	/** Cancels a call whose tool has begun, through any node, until a node takes that or the call is over. */
	async #cancel(call: Call): Promise<void> {
		await sleep(this.random.int(20, 500));
		while (!this.#options.begun(call.nonce)) {
			if (this.#isOver(call)) return;
			await sleep(10);
		}
		const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: call.nonce } };
		await this.#insist(call.cancels, 'cancel', cancel, () => this.#isOver(call));
	}

	#isOver(call: Call): boolean {
		return this.isStopped || call.ends.length > 0 || call.over !== undefined;
	}

	async #insist(attempts: Attempt[], what: string, message: Message, isOver: () => boolean): Promise<void> {
		while (!isOver() && !this.isStopped) {
			const { attempt } = await this.exchange(what, this.post(message));
			attempts.push(attempt);
			if (attempt.status !== undefined && attempt.status < 500 && attempt.status !== 429) return;
			await sleep(this.random.int(20, 200));
		}
	}
}

/** Says what a client is and can. */
export function initializeRequest(name: string, protocolVersion: string): Message {
	const capabilities = { elicitation: {}, sampling: {} };
	const params = { protocolVersion, capabilities, clientInfo: { name, version: '1' } };
	return { jsonrpc: '2.0', id: 'initialize', method: 'initialize', params };
}

export const initialized: Message = { jsonrpc: '2.0', method: 'notifications/initialized' };
