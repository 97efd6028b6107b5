import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
	SessionManagerError,
	type SessionManagerErrorCode,
	type StreamController,
} from '@holdfast/session-manager/custom';

/** What a peer says. */
interface Said {
	readonly call?: number;
	readonly value?: unknown;
	readonly error?: { readonly code?: SessionManagerErrorCode; readonly message: string };
	readonly controller?: number;
	readonly chunk?: Uint8Array;
	readonly closed?: true;
	readonly failed?: string;
	readonly gap?: number;
}

interface Held {
	readonly controller: StreamController;
	readonly ongap: (() => unknown) | undefined;
}

let calls = 0;
let numbers = 0;

/** What controllers said of their clients, and a peer may not know yet. */
const untold = new Set<Promise<unknown>>();

/** A process that runs managers, and is asked over IPC. */
export class PeerProcess {
	readonly #child: ChildProcess;
	readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
	readonly #held = new Map<number, Held>();
	#dead = false;

	private constructor(child: ChildProcess) {
		this.#child = child;
		child.on('message', (said: Said) => this.#hear(said));
		child.on('exit', () => {
			this.#dead = true;
			for (const { reject } of this.#pending.values())
				reject(new SessionManagerError('unavailable', 'The peer is dead.'));
			this.#pending.clear();
		});
	}

	static async start(): Promise<PeerProcess> {
		const child = fork(fileURLToPath(new URL('./peer.mjs', import.meta.url)), { serialization: 'advanced' });
		await once(child, 'message');
		return new PeerProcess(child);
	}

	get isDead(): boolean {
		return this.#dead;
	}

	get pid(): number {
		return this.#child.pid ?? 0;
	}

	/** Asks the peer for something. */
	async ask<T>(what: string, ...args: unknown[]): Promise<T> {
		while (untold.size > 0) await Promise.all(untold);
		return this.#ask<T>(what, args);
	}

	/** Opens a stream there; what happens to it, happens to `controller` here. */
	async create(
		name: string,
		id: string,
		controller: StreamController,
		{ ongap, ...options }: { readonly ongap?: () => unknown } = {},
	): Promise<{ readonly number: number; readonly continuation: string }> {
		const number = ++numbers;
		this.#held.set(number, { controller, ongap });
		const size = controller.desiredSize;
		const isStream = controller instanceof ReadableStreamDefaultController;
		if (!isStream) this.#mirror(number, controller);
		const given = { ...options, hasGap: ongap !== undefined, size, isStream };
		const continuation = await this.ask<string>('create', name, id, number, given);
		return { number, continuation };
	}

	/** Ends the process without a word. */
	async kill(): Promise<void> {
		if (this.#dead) return;
		const exited = once(this.#child, 'exit');
		this.#child.kill('SIGKILL');
		await exited;
	}

	#ask<T>(what: string, args: readonly unknown[]): Promise<T> {
		return new Promise<T>((resolve, reject) => {
			if (this.#dead) return reject(new SessionManagerError('unavailable', 'The peer is dead.'));
			const call = ++calls;
			this.#pending.set(call, { resolve: resolve as (value: unknown) => void, reject });
			this.#child.send({ call, what, args });
		});
	}

	#hear({ call, value, error, controller, chunk, closed, failed, gap }: Said): void {
		if (call !== undefined) {
			const pending = this.#pending.get(call);
			this.#pending.delete(call);
			if (error === undefined) pending?.resolve(value);
			else if (error.code === undefined) pending?.reject(new Error(error.message));
			else pending?.reject(new SessionManagerError(error.code, error.message));
			return;
		}
		const held = this.#held.get(controller ?? 0);
		if (held === undefined) return;
		try {
			if (chunk !== undefined) held.controller.enqueue(chunk);
			if (closed) held.controller.close();
			if (failed !== undefined) held.controller.error?.(new Error(failed));
		} catch {
			// Its client has left meanwhile.
		}
		if (gap !== undefined) void this.#tell(gap, held.ongap);
	}

	async #tell(gap: number, ongap: (() => unknown) | undefined): Promise<void> {
		try {
			await ongap?.();
			await this.#ask('told', [gap]);
		} catch (error) {
			await this.#ask('told', [gap, (error as Error).message]).catch(() => {});
		}
	}

	/** Tells the peer whenever the client of a controller changes, before it is asked for anything else. */
	#mirror(number: number, controller: StreamController): void {
		let size = controller.desiredSize;
		Object.defineProperty(controller, 'desiredSize', {
			configurable: true,
			get: () => size,
			set: (next: number | null) => {
				size = next;
				const told = this.#ask('size', [number, next]).catch(() => {});
				untold.add(told);
				void told.then(() => untold.delete(told));
			},
		});
	}
}
