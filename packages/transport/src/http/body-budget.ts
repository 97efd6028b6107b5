import type { Clock } from '@holdfast/session-manager';
import { type Deadline, DeadlineQueue } from '../node/deadline-queue.js';
import { Tally } from '../node/tally.js';
import { type HttpProblem, problems } from './problems.js';

/** Options for the bodies of requests. Each budget lets one body in, whatever its size. */
export interface BodyOptions {
	/**
	 * The longest request body, in bytes. A longer one is refused with 413 before it is parsed.
	 * @default 4_194_304 (4 MiB)
	 */
	readonly maxBodyBytes?: number;
	/**
	 * How much memory the bodies of all requests may take on this node, in bytes, from their first byte until their
	 * requests end and, of 64 KiB and more, until their handlers do. Beyond it, requests are refused with 503.
	 * @default 268_435_456 (256 MiB), or 64 times `maxBodyBytes` where that is more
	 */
	readonly maxBodyBytesInFlight?: number;
	/**
	 * How much of bodies may be arriving from one address, in bytes; 0: any number. Beyond it, requests are refused
	 * with 429. Behind a proxy, all clients share its address.
	 * @default 67_108_864 (64 MiB), or 16 times `maxBodyBytes` where that is more
	 */
	readonly maxBodyBytesPerAddress?: number;
	/**
	 * How much memory the bodies of one session may take on this node, in bytes, from their first byte until their
	 * requests end and, of 64 KiB and more, until their handlers do. Beyond it, requests are refused with 429.
	 * @default 16_777_216 (16 MiB), or 4 times `maxBodyBytes` where that is more
	 */
	readonly maxBodyBytesPerSession?: number;
	/**
	 * How long a body may take to arrive, in milliseconds. After it, the request is refused with 408 and its connection
	 * is closed.
	 * @default 30_000
	 */
	readonly bodyTimeoutMs?: number;
}

const MIB = 1024 * 1024;
/** Shares below this are given back at once, whoever still runs. */
const SMALL_SHARE = 64 * 1024;
/**
 * Counts the bytes of the bodies that arrive and of those whose requests run: of the node, of each address and of each
 * session. Each body has a {@link BodyLease}.
 */
export class BodyBudget {
	readonly maxBodyBytes: number;
	readonly #max: number;
	readonly #maxPerAddress: number;
	readonly #maxPerSession: number;
	readonly #arriving: DeadlineQueue<BodyLease>;
	readonly #addresses = new Tally();
	readonly #sessions = new Tally();
	readonly #abandoned = new FinalizationRegistry<BodyLease>((lease) => lease.release());
	#bytes = 0;

	constructor(clock: Clock, options: BodyOptions) {
		const { maxBodyBytes = 4 * MIB } = options;
		this.maxBodyBytes = maxBodyBytes;
		this.#max = options.maxBodyBytesInFlight ?? Math.max(256 * MIB, 64 * maxBodyBytes);
		this.#maxPerAddress = options.maxBodyBytesPerAddress ?? Math.max(64 * MIB, 16 * maxBodyBytes);
		this.#maxPerSession = options.maxBodyBytesPerSession ?? Math.max(16 * MIB, 4 * maxBodyBytes);
		this.#arriving = new DeadlineQueue(clock, options.bodyTimeoutMs ?? 30_000, (lease) => lease.expire());
	}

	/** How many bytes are counted now. */
	get bytes(): number {
		return this.#bytes;
	}

	/** Begins to count a body that arrives from `address` for session `sessionId`. */
	open(address: string | undefined, sessionId: string | undefined): BodyLease {
		const lease = new BodyLease(this, this.#maxPerAddress > 0 ? address : undefined, sessionId);
		lease.deadline = this.#arriving.add(lease);
		return lease;
	}

	/** For {@link BodyLease}: takes `bytes` more for one that has `held`. Returns why that is refused, if it is. */
	take(
		bytes: number,
		held: number,
		address: string | undefined,
		sessionId: string | undefined,
	): HttpProblem | undefined {
		const isOver = (used: number, max: number) => used > held && used + bytes > max;
		if (isOver(this.#bytes, this.#max)) return problems.tooManyBodies;
		if (address !== undefined && isOver(this.#addresses.get(address), this.#maxPerAddress))
			return problems.tooManyBodiesOfAddress;
		if (sessionId !== undefined && isOver(this.#sessions.get(sessionId), this.#maxPerSession))
			return problems.tooManyBodiesOfSession;
		this.#bytes += bytes;
		if (address !== undefined) this.#addresses.add(address, bytes);
		if (sessionId !== undefined) this.#sessions.add(sessionId, bytes);
		return undefined;
	}

	/** For {@link BodyLease}: the body has arrived, or does not matter any more. */
	arrived(bytes: number, address: string | undefined): void {
		if (address !== undefined) this.#addresses.add(address, -bytes);
	}

	/** For {@link BodyLease}: gives back what is left. */
	give(bytes: number, sessionId: string | undefined): void {
		this.#bytes -= bytes;
		if (sessionId !== undefined) this.#sessions.add(sessionId, -bytes);
	}

	/** For {@link BodyLease}: one user of `lease` lets go of it once `request` has been collected. */
	abandon(lease: BodyLease, request: object): void {
		this.#abandoned.register(request, lease);
	}

	/** Stops the timer. */
	close(): void {
		this.#arriving.close();
	}
}

/** The share of one body in the budgets. Whoever uses the body holds it; it is given back when nobody does. */
export class BodyLease {
	/** By when the body must have arrived. */
	deadline: Deadline<BodyLease> | undefined;
	readonly #budget: BodyBudget;
	readonly #sessionId: string | undefined;
	#ontimeout: (() => void) | undefined;
	/** While the body arrives. */
	#address: string | undefined;
	#isArriving = true;
	#bytes = 0;
	#holders = 1;

	constructor(budget: BodyBudget, address: string | undefined, sessionId: string | undefined) {
		this.#budget = budget;
		this.#address = address;
		this.#sessionId = sessionId;
	}

	/** The longest body, in bytes. */
	get maxBytes(): number {
		return this.#budget.maxBodyBytes;
	}

	/** Calls `listener` when the body has taken too long to arrive. */
	onTimeout(listener: () => void): void {
		this.#ontimeout = listener;
	}

	/** Counts `bytes` more that have arrived. Returns why the body is refused, if it is. */
	take(bytes: number): HttpProblem | undefined {
		// What arrives after the body was given up goes nowhere.
		if (!this.#isArriving) return undefined;
		if (this.#bytes + bytes > this.maxBytes) return problems.tooLarge;
		return this.#count(bytes);
	}

	/** The body has arrived, and takes `bytes` more than were counted. Returns why it is refused, if it is. */
	arrived(bytes: number): HttpProblem | undefined {
		this.#leaveAddress();
		return this.#count(bytes);
	}

	/** The time is over in which the body had to arrive. */
	expire(): void {
		if (this.#isArriving) this.#ontimeout?.();
	}

	/** Holds the share for one user more. */
	retain(): void {
		this.#holders++;
	}

	/** One user less. */
	release(): void {
		if (--this.#holders > 0) return;
		this.#leaveAddress();
		this.#budget.give(this.#bytes, this.#sessionId);
		this.#bytes = 0;
	}

	/**
	 * One user less, as soon as nothing holds `request` any more: its handler may run on after a cancellation or the end
	 * of its session, with all that the body brought.
	 */
	releaseAfter(request: object): void {
		if (this.#bytes < SMALL_SHARE) this.release();
		else this.#budget.abandon(this, request);
	}

	#leaveAddress(): void {
		if (!this.#isArriving) return;
		this.#isArriving = false;
		this.#ontimeout = undefined;
		this.deadline?.cancel();
		this.#budget.arrived(this.#bytes, this.#address);
		this.#address = undefined;
	}

	#count(bytes: number): HttpProblem | undefined {
		const problem = this.#budget.take(bytes, this.#bytes, this.#address, this.#sessionId);
		if (problem === undefined) this.#bytes += bytes;
		return problem;
	}
}
