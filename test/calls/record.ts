import type { NodeProcess } from '../history/node-process.ts';

// What the checker notes of a schedule. Times are those of the machine, in milliseconds: nodes tell theirs.

/** How a call is made, and what happens to it. */
export interface Plan {
	readonly kind: 'quick' | 'slow' | 'noting' | 'big' | 'asking' | 'cancelled';
	readonly ms: number;
	readonly notes: number;
	readonly bytes: number;
	readonly question: { readonly kind: 'elicitation' | 'sampling'; readonly timeoutMs: number } | undefined;
	/** When the client loses its connection, after each time it came back; then it stays. */
	readonly drops: readonly { readonly afterMs: number; readonly openly: boolean; readonly pauseMs: number }[];
}

/** One thing that a client sent about a call, until a node took or refused it. */
export interface Attempt {
	readonly sentAt: number;
	answeredAt: number | undefined;
	/** `undefined`: no answer came. */
	status: number | undefined;
}

/** What a server asked during a call, and what the client made of it. */
export interface Question {
	readonly wireId: string;
	readonly word: string;
	/** Progress that was told before the answer was sent. */
	readonly progress: { readonly value: number; readonly attempt: Attempt }[];
	readonly answers: Attempt[];
}

/** What a client got that ends a call. */
export interface End {
	readonly at: number;
	readonly type: 'result' | 'error';
	/** What is wrong with it. */
	readonly wrong: string | undefined;
	readonly text: string;
}

/** One call, as its client saw it. */
export interface Call {
	readonly nonce: string;
	readonly session: Session;
	readonly plan: Plan;
	/** The life of the node that runs it. */
	readonly node: string;
	readonly begunAt: number;
	status: number | undefined;
	readonly ends: End[];
	readonly questions: Question[];
	readonly cancels: Attempt[];
	/** Whether the client lost a connection of it by itself. */
	dropped: boolean;
	resumes: number;
	/** The number of the newest note. */
	lastNote: number;
	/** Whether the client came back after its end. */
	lookedAgain: boolean;
	/** Why it is over though no end came: the client cannot come back, or a node said that there is no more. */
	over: 'no event id' | 'stream lost' | 'stream over' | 'session gone' | 'refused' | undefined;
	/** What else is wrong. */
	readonly wrongs: string[];
}

/** One session, as its clients saw it. */
export interface Session {
	readonly name: string;
	readonly transport: 'http' | 'sse';
	/** Requests, and the status of each. */
	readonly exchanges: Exchange[];
	/** When a DELETE was answered with 200. */
	deletedAt: number | undefined;
	/** When the first DELETE was sent. */
	deletingAt: number | undefined;
	/** A stream of HTTP+SSE broke. */
	streamLost: boolean;
	readonly wrongs: string[];
}

export interface Exchange {
	readonly what: string;
	readonly node: string;
	readonly sentAt: number;
	readonly status: number;
}

/** What a tool says became of it. */
export interface Report {
	readonly nonce: string;
	readonly type: 'begun' | 'asked' | 'ended' | 'aborted' | 'failed';
	readonly at: number;
	readonly word?: string;
	readonly seen?: readonly number[];
	readonly failure?: string;
}

/** What tools reported, by the nonce of their call. */
export class Reports {
	readonly #reports = new Map<string, Report[]>();

	readonly take = (report: unknown): void => {
		if (typeof report !== 'object' || report === null || !('nonce' in report)) return;
		const taken = report as Report;
		const before = this.#reports.get(taken.nonce);
		if (before === undefined) this.#reports.set(taken.nonce, [taken]);
		else before.push(taken);
	};

	get(nonce: string, ...types: readonly Report['type'][]): Report | undefined {
		return this.#reports.get(nonce)?.find(({ type }) => types.includes(type));
	}

	of(nonce: string): readonly Report[] {
		return this.#reports.get(nonce) ?? [];
	}

	clear(): void {
		this.#reports.clear();
	}
}

/** The nodes that live, for those that send requests. */
export type Nodes = () => readonly NodeProcess[];

/** The time of the machine, in milliseconds, as nodes tell it. */
export function now(): number {
	return Date.now();
}

/** A response, read as the end of a call. */
export function readEnd(call: Call, message: { readonly [key: string]: unknown }): End {
	const text = JSON.stringify(message);
	const { result, error } = message as {
		result?: { content?: { text?: string }[]; isError?: boolean };
		error?: { code?: unknown; message?: unknown };
	};
	const end = (type: End['type'], wrong?: string): End => ({ at: now(), type, wrong, text: text.slice(0, 300) });
	if (message['id'] !== call.nonce) return end('error', `it has the id ${String(message['id'])}`);
	if (error !== undefined) {
		const isError = Number.isInteger(error.code) && typeof error.message === 'string';
		return end('error', isError ? undefined : 'it is no JSON-RPC error');
	}
	try {
		const said = JSON.parse(result?.content?.[0]?.text ?? '');
		if (said.nonce !== call.nonce) return end('result', `it is that of ${said.nonce}`);
		if (said.name !== call.session.name) return end('result', `it was made for ${said.name}`);
		const padding = call.nonce.slice(-1).repeat(call.plan.bytes);
		if (said.padding !== padding) return end('result', `it has ${said.padding?.length} bytes of ${padding.length}`);
		const [question] = call.questions;
		// What the tool was not told in time is judged by what it reports.
		if (said.word !== undefined && !call.questions.some(({ word }) => word === said.word))
			return end('result', `the tool was told ${said.word} instead of ${question?.word}`);
		return end('result');
	} catch {
		return end('result', 'it cannot be read');
	}
}
