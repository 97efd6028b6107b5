import type {
	RelayStreamSessionManagerOptions,
	StreamCreateOptions,
	StreamSessionManager,
} from '@holdfast/session-manager';
import { Client } from './client.ts';

/** What a case is given: an engine to try. */
export interface StreamCaseContext {
	/** Whether messages to one stream and messages to everyone are in one order, also where nobody waited in between. */
	readonly oneOrder: boolean;
	/** New managers that share one backend, which no other case uses. They are closed after the case. */
	peers(count: number, options?: RelayStreamSessionManagerOptions): Promise<StreamSessionManager[]>;
}

/** One promise of the stream contract, as something that can be run on any resumable engine. */
export interface StreamCase {
	/** The sentence that it proves. */
	readonly title: string;
	run(context: StreamCaseContext): Promise<void>;
}

/** One SSE event as a caller of `send` writes it. */
export function sse(data: string | number): string {
	return `event: message\ndata: ${data}\n\n`;
}

/** The texts of `from` to `to`. */
export function numbers(from: number, to: number): string[] {
	return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);
}

/** `count` peers. */
export async function peersOf<Count extends 1 | 2 | 3>(
	context: StreamCaseContext,
	count: Count,
	options?: RelayStreamSessionManagerOptions,
): Promise<{ 1: [StreamSessionManager]; 2: Pair; 3: [...Pair, StreamSessionManager] }[Count]> {
	return (await context.peers(count, options)) as never;
}

type Pair = [StreamSessionManager, StreamSessionManager];

/** A client that now holds stream `id` through `manager`. */
export async function open(manager: StreamSessionManager, id: string, options?: StreamCreateOptions): Promise<Client> {
	const client = new Client();
	client.attachment = (await manager.create(id, client, options)) ?? undefined;
	return client;
}

/** What a client says that comes back after the first `count` events of `client` (default: after all). */
export function after(client: Client, count = client.received.length): StreamCreateOptions {
	return { lastEventId: client.received[count - 1]?.id ?? '' };
}

/** Asks until the answer is `true`; throws after `deadlineMs`. */
export async function until(what: string, probe: () => boolean | Promise<boolean>, deadlineMs = 5_000): Promise<void> {
	for (const end = performance.now() + deadlineMs; !(await probe()); ) {
		if (performance.now() > end) throw new Error(`Not within ${deadlineMs} ms: ${what}.`);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}
