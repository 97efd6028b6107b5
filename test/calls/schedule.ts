import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../history/random.ts';
import type { Client, ClientOptions } from './client.ts';
import type { Rig } from './engines/engine.ts';
import { chooseFault } from './faults.ts';
import { HttpClient } from './http-client.ts';
import { judge, type Violation } from './judge.ts';
import { type Call, now, type Plan, type Report, type Reports, type Session } from './record.ts';
import { SseClient } from './sse-client.ts';

/** What came of one schedule; enough to see what happened. */
export interface ScheduleResult {
	readonly seed: number;
	readonly faults: readonly string[];
	readonly sessions: readonly Session[];
	readonly calls: readonly (Omit<Call, 'session'> & { readonly reports: readonly Report[] })[];
	readonly violations: readonly Violation[];
	readonly complaints: readonly string[];
}

/** How a schedule is run. */
export interface ScheduleOptions {
	/** How long a call may take to end once all is well again, in milliseconds (default 20 s). */
	readonly settleMs?: number | undefined;
	/** The most faults of a schedule (default 3). */
	readonly maxFaults?: number | undefined;
	/** Whether a node may hang for up to 20 s (default `false`). */
	readonly long?: boolean | undefined;
}

/** Runs one schedule on a rig whose faults are over, and leaves it so. */
export async function runSchedule(
	rig: Rig,
	reports: Reports,
	seed: number,
	options: ScheduleOptions = {},
): Promise<ScheduleResult> {
	return new Schedule(rig, reports, seed, options).run();
}

class Schedule {
	readonly #rig: Rig;
	readonly #reports: Reports;
	readonly #seed: number;
	readonly #settleMs: number;
	readonly #maxFaults: number;
	readonly #long: boolean;
	readonly #random: Random;
	readonly #lengthMs: number;
	readonly #faults: string[] = [];
	readonly #stop = new AbortController();
	readonly #https: HttpClient[];
	readonly #sses: SseClient[];
	readonly #running = new Set<Promise<void>>();
	readonly #begunAt = performance.now();

	constructor(rig: Rig, reports: Reports, seed: number, options: ScheduleOptions) {
		const { settleMs = 20_000, maxFaults = 3, long = false } = options;
		this.#rig = rig;
		this.#reports = reports;
		this.#seed = seed;
		this.#settleMs = settleMs;
		this.#maxFaults = maxFaults;
		this.#long = long;
		// Each connection waits for it.
		setMaxListeners(0, this.#stop.signal);
		this.#random = new Random(seed);
		this.#lengthMs = this.#random.int(800, 2_000);
		this.#https = this.#make(this.#random.int(2, 4), 'h', (client) => new HttpClient(client));
		this.#sses = this.#make(this.#random.int(0, 2), 's', (client) => new SseClient(client));
	}

	async run(): Promise<ScheduleResult> {
		const random = this.#random;
		const { nodes } = this.#rig;
		for (const node of nodes) node.complaints.length = 0;
		this.#reports.clear();
		await this.#begin();
		const endsAt = performance.now() + this.#lengthMs;
		const actors: Promise<void>[] = this.#clients.map((client) => this.#live(client, random.fork(), endsAt));
		const ended = random.chance(0.4) ? this.#https[0] : undefined;
		if (ended !== undefined) actors.push(this.#end(ended, random.fork()));
		const count = random.int(0, this.#maxFaults);
		for (let fault = 0; fault < count; fault++) actors.push(this.#fail(random.fork()));
		await Promise.all(actors);
		// A node that ended by itself is judged, but the others go on.
		for (const node of nodes) await node.start();
		await this.#settle();
		await ended?.probe(nodes);
		this.#stop.abort();
		await Promise.all(this.#running);
		const violations = this.#judge();
		await Promise.all(this.#clients.map((client) => client.close()));
		return {
			seed: this.#seed,
			faults: this.#faults,
			sessions: this.#clients.map(({ session }) => session),
			calls: this.#calls.map(({ session: _, ...call }) => ({ ...call, reports: this.#reports.of(call.nonce) })),
			violations,
			complaints: this.#complaints(),
		};
	}

	get #clients(): Client[] {
		return [...this.#https, ...this.#sses];
	}

	get #calls(): Call[] {
		return this.#clients.flatMap(({ calls }) => calls);
	}

	#make<T>(count: number, letter: string, make: (options: ClientOptions) => T): T[] {
		return Array.from({ length: count }, (_, index) =>
			make({
				name: `${this.#seed}${letter}${index}`,
				nodes: () => this.#rig.nodes,
				random: this.#random.fork(),
				stopped: this.#stop.signal,
				begun: (nonce) => this.#reports.get(nonce, 'begun') !== undefined,
			}),
		);
	}

	async #begin(): Promise<void> {
		const giveUp = setTimeout(() => this.#stop.abort(), 20_000);
		await Promise.all(this.#clients.map((client) => client.initialize())).catch((cause: unknown) => {
			throw new Error(`No session was made. The nodes say: ${this.#complaints().slice(-5).join(' | ')}`, { cause });
		});
		clearTimeout(giveUp);
	}

	/** A client calls now and then, sometimes several at once. */
	async #live(client: Client, random: Random, endsAt: number): Promise<void> {
		while (performance.now() < endsAt) {
			await sleep(random.int(10, 350));
			const burst = random.chance(0.1) ? random.int(2, 4) : 1;
			const big = burst > 1 && random.chance(0.5);
			for (let call = 0; call < burst; call++) this.#call(client, plan(random, big ? 'big' : pickKind(random)));
		}
	}

	#call(client: Client, plan: Plan): void {
		const running = client.call(plan).finally(() => this.#running.delete(running));
		this.#running.add(running);
	}

	/** Somebody ends the session while its calls run. */
	async #end(client: HttpClient, random: Random): Promise<void> {
		await sleep(random.int(100, this.#lengthMs));
		await client.end(this.#rig.nodes, 500);
	}

	async #fail(random: Random): Promise<void> {
		const fault = chooseFault(this.#rig.faults(this.#long), random, this.#lengthMs);
		await sleep(random.int(0, this.#lengthMs));
		this.#faults.push(`${fault.name} at ${Math.round(performance.now() - this.#begunAt)} ms`);
		await fault.run();
	}

	/** Waits until every call is over, or should be. */
	async #settle(): Promise<void> {
		const end = now() + this.#settleMs;
		while (now() < end && (this.#running.size > 0 || this.#awaited())) await sleep(10);
	}

	/** Whether a tool that was cancelled has not reported its end yet. */
	#awaited(): boolean {
		return this.#calls.some(
			({ nonce, node, cancels }) =>
				this.#endOf(node) === undefined &&
				cancels.some(({ status }) => status === 202) &&
				this.#reports.get(nonce, 'ended', 'aborted', 'failed') === undefined,
		);
	}

	#judge(): Violation[] {
		const { nodes } = this.#rig;
		const violations = judge({
			calls: this.#calls,
			sessions: this.#clients.map(({ session }) => session),
			reports: this.#reports,
			// A busy machine is a fault, too: then the store may be away for a node, and only the node knows.
			troubled: this.#faults.length > 0 || this.#complaints().length > 0,
			endOf: (node) => this.#endOf(node),
		});
		for (const node of nodes) {
			const details = node.crashes.splice(0);
			if (/unhandled/i.test(node.noise)) details.push(node.noise);
			violations.push(...details.map((detail): Violation => ({ type: 'crash', of: 'a node', detail })));
		}
		return violations;
	}

	#endOf(life: string) {
		for (const { ends } of this.#rig.nodes) if (ends.has(life)) return ends.get(life);
		return undefined;
	}

	#complaints(): string[] {
		return this.#rig.nodes.flatMap(({ complaints }) => complaints);
	}
}

const kinds: readonly (readonly [weight: number, kind: Plan['kind']])[] = [
	[3, 'quick'],
	[2, 'slow'],
	[2, 'noting'],
	[1, 'big'],
	[3, 'asking'],
	[1.5, 'cancelled'],
];

function pickKind(random: Random): Plan['kind'] {
	let left = random.next() * kinds.reduce((sum, [weight]) => sum + weight, 0);
	for (const [weight, kind] of kinds) {
		left -= weight;
		if (left < 0) return kind;
	}
	return 'quick';
}

/** Longer than anybody waits: it ends only when it is cancelled, or breaks a promise. */
const cancelledMs = 12_000;

function plan(random: Random, kind: Plan['kind']): Plan {
	const bounds: Record<Plan['kind'], readonly [from: number, to: number]> = {
		quick: [0, 20],
		slow: [50, 800],
		noting: [0, 400],
		big: [0, 150],
		asking: [0, 200],
		cancelled: [cancelledMs, cancelledMs],
	};
	const drops = kind !== 'quick' && random.chance(0.5) ? random.int(1, 3) : 0;
	return {
		kind,
		ms: random.int(...bounds[kind]),
		notes: kind === 'noting' || random.chance(0.2) ? random.int(1, 5) : 0,
		bytes: kind === 'big' ? random.int(200_000, 2_000_000) : 10,
		question:
			kind === 'asking'
				? {
						kind: random.pick(['elicitation', 'sampling']),
						// Some tools give up about when the answer comes.
						timeoutMs: random.chance(0.15) ? random.int(50, 400) : 10_000,
					}
				: undefined,
		drops: Array.from({ length: drops }, () => ({
			afterMs: random.int(0, 400),
			openly: random.chance(0.5),
			pauseMs: random.chance(0.5) ? 0 : random.int(0, 400),
		})),
	};
}
