import { setTimeout as sleep } from 'node:timers/promises';
import { CallStream } from './call-stream.ts';
import { HistoryClient } from './client.ts';
import { type ClientHistory, type Counts, check, type Sent, type Violation } from './history.ts';
import { MAX_EVENTS, type StoreHouse } from './house.ts';
import type { NodeProcess } from './node-process.ts';
import { Random } from './random.ts';

/** What came of one schedule; enough to see what happened. */
export interface ScheduleResult extends Counts {
	readonly seed: number;
	readonly faults: readonly string[];
	readonly sent: readonly Sent[];
	readonly clients: readonly ClientHistory[];
	/** Calls with a stream of their own. */
	readonly calls: readonly Pick<CallStream, 'writer' | 'count' | 'end' | 'history'>[];
	readonly violations: readonly Violation[];
	readonly resumes: number;
	readonly complaints: readonly string[];
}

/** How a schedule is run. */
export interface ScheduleOptions {
	/** How long a client may take to get everything once all is well again, in milliseconds (default 20 s). */
	readonly settleMs?: number | undefined;
	/** How likely it is that more is sent to a client that is away than is kept (default 0.1). */
	readonly overflowChance?: number | undefined;
}

/** Runs one schedule in a house whose faults are over, and leaves it so. */
export async function runSchedule(
	house: StoreHouse,
	seed: number,
	options: ScheduleOptions = {},
): Promise<ScheduleResult> {
	return new Schedule(house, seed, options).run();
}

class Schedule {
	readonly #house: StoreHouse;
	readonly #seed: number;
	readonly #settleMs: number;
	readonly #overflowChance: number;
	readonly #random: Random;
	readonly #clients: HistoryClient[];
	readonly #sent: Sent[] = [];
	readonly #faults: string[] = [];
	readonly #begunAt = performance.now();
	readonly #lengthMs: number;
	readonly #calls = new Map<CallStream, Promise<void>>();
	#mayLose = false;
	#tools = 0;

	constructor(house: StoreHouse, seed: number, { settleMs = 20_000, overflowChance = 0.1 }: ScheduleOptions) {
		this.#settleMs = settleMs;
		this.#overflowChance = overflowChance;
		this.#house = house;
		this.#seed = seed;
		this.#random = new Random(seed);
		this.#lengthMs = this.#random.int(500, 1_000);
		this.#clients = Array.from(
			{ length: this.#random.int(2, 5) },
			(_, index) => new HistoryClient(`s${seed}c${index}`, house.origins, this.#random.fork()),
		);
	}

	async run(): Promise<ScheduleResult> {
		const random = this.#random;
		for (const node of this.#house.nodes) node.complaints.length = 0;
		const histories = await this.#house.replicationHistories();
		await Promise.all(this.#clients.map((client) => client.initialize())).catch((cause: unknown) => {
			throw new Error(`No session was made. The nodes say: ${this.#complaints().slice(-5).join(' | ')}`, { cause });
		});
		await this.#house.replicated();
		const endsAt = performance.now() + this.#lengthMs;
		const actors: Promise<void>[] = [];
		for (const client of this.#clients) actors.push(this.#live(client, random.fork(), endsAt));
		for (let writers = random.int(2, 4); writers > 0; writers--) actors.push(this.#write(random.fork(), endsAt));
		for (let faults = random.int(0, 3); faults > 0; faults--) actors.push(this.#fail(random.fork()));
		if (random.chance(this.#overflowChance)) actors.push(this.#overflow(random.fork()));
		await Promise.all(actors);
		const stuck = await this.#settle(random);
		await Promise.all(this.#calls.values());
		if (this.#house.failsOver && histories !== (await this.#house.replicationHistories())) this.#mayLose = true;
		const result = this.#judge(stuck);
		await Promise.all(this.#clients.map((client) => client.close()));
		return result;
	}

	/** A client opens its stream, sooner or later, loses it now and then, and comes back. */
	async #live(client: HistoryClient, random: Random, endsAt: number): Promise<void> {
		if (random.chance(0.3)) await sleep(random.int(0, 300));
		client.open();
		while (performance.now() < endsAt) {
			await sleep(random.int(10, 250));
			const dice = random.next();
			if (dice < 0.1) await client.callTool(this.#nameTool(), random.int(1, 8));
			else if (dice < 0.2) this.#call(client, random.fork());
			else if (dice < 0.75) client.drop(random.chance(0.5) ? 0 : random.int(0, 200), random.chance(0.6));
		}
	}

	/** A call runs beside everything else, for longer than the schedule if need be. */
	#call(client: HistoryClient, random: Random): void {
		const call = new CallStream(client, this.#nameTool(), random);
		this.#calls.set(call, call.run());
	}

	#nameTool(): string {
		return `t${this.#seed}.${this.#tools++}`;
	}

	/** A writer sends to one, to some, or to all, from any node, several messages at once. */
	async #write(random: Random, endsAt: number): Promise<void> {
		while (performance.now() < endsAt) {
			const to = random.chance(0.35) ? null : this.#some(random);
			await this.#send(random.pick(this.#house.nodes), to, random.int(1, 6));
			await sleep(random.int(0, 30));
		}
	}

	async #fail(random: Random): Promise<void> {
		const fault = this.#house.fault(random);
		await sleep(random.int(0, this.#lengthMs));
		if (fault.loses) this.#mayLose = true;
		const at = Math.round(performance.now() - this.#begunAt);
		this.#faults.push(`${fault.name} at ${at} ms`);
		await fault.run();
	}

	/** More for one client than is kept, so that one that is away then cannot get all. */
	async #overflow(random: Random): Promise<void> {
		this.#mayLose = true;
		this.#faults.push('more messages than are kept');
		const client = random.pick(this.#clients);
		await sleep(random.int(0, 400));
		client.drop(random.int(100, 400), random.chance(0.5));
		await this.#send(random.pick(this.#house.nodes), [client], MAX_EVENTS + random.int(1, 100));
	}

	/** Sends a last message to each and to all until it is taken, and waits until every client has it. */
	async #settle(random: Random): Promise<Violation[]> {
		const end = performance.now() + this.#settleMs;
		const lasts = new Map(this.#clients.map((client) => [client, [] as Sent[]]));
		const sendLast = async (clients: HistoryClient[] | null) => {
			for (;;) {
				const [message] = await this.#send(random.pick(this.#house.nodes), clients, 1);
				if (message?.outcome === 'taken') {
					for (const client of clients ?? this.#clients) lasts.get(client)?.push(message);
					return;
				}
				if (performance.now() > end) return;
				await sleep(20);
			}
		};
		// A broadcast reaches streams that were opened before it, and what is handed to a client that goes before its first
		// event id nobody can tell from what it got.
		await this.#until(end, () =>
			this.#clients.every((each) => each.lostSession || each.history.attachedAt !== undefined),
		);
		await Promise.all(this.#clients.map((client) => sendLast([client])));
		await sendLast(null);
		const hasAll = (client: HistoryClient) =>
			client.lostSession ||
			(lasts.get(client)?.length === 2 && lasts.get(client)?.every(({ writer, n }) => client.has(writer, n)));
		await this.#until(end, () => this.#clients.every((client) => hasAll(client) && client.leftOpen === 0));
		const violations: Violation[] = [];
		for (const client of this.#clients) {
			if (!hasAll(client)) {
				const missing = lasts.get(client)?.filter(({ writer, n }) => !client.has(writer, n)) ?? [];
				const detail = `the last messages did not come: ${missing.map(({ writer, n }) => `${writer}:${n}`)}`;
				violations.push({ client: client.name, type: 'stuck', detail });
			}
			if (client.leftOpen > 0 && !client.lostSession) {
				violations.push({ client: client.name, type: 'old connection open', detail: `${client.leftOpen}` });
			}
		}
		return violations;
	}

	#judge(stuck: readonly Violation[]): ScheduleResult {
		const counts: Counts = { noticed: 0 };
		const clients = this.#clients.map(({ history }) => history);
		const violations = [...stuck];
		for (const client of clients) violations.push(...check(client, this.#sent, this.#mayLose, counts));
		for (const call of this.#calls.keys()) {
			// A busy machine is a fault, too: then Redis may refuse what a tool says, and only the node knows.
			const untroubled = this.#faults.length === 0 && this.#complaints().length === 0 && call.end === 'answered';
			violations.push(...check(call.history, untroubled ? call.sent : [], this.#mayLose, counts));
			if (call.end !== undefined) continue;
			violations.push({ client: call.history.name, type: 'stuck', detail: `call ${call.writer} did not end` });
		}
		for (const node of this.#house.nodes) {
			for (const detail of node.crashes.splice(0)) violations.push({ client: 'none', type: 'crash', detail });
		}
		return {
			...counts,
			seed: this.#seed,
			faults: this.#faults,
			sent: this.#sent,
			clients,
			calls: [...this.#calls.keys()].map(({ writer, count, end, history }) => ({ writer, count, end, history })),
			violations,
			resumes: this.#clients.reduce((sum, client) => sum + client.attempts, 0),
			complaints: this.#complaints(),
		};
	}

	async #send(node: NodeProcess, clients: readonly HistoryClient[] | null, count: number): Promise<Sent[]> {
		const writer = node.incarnation;
		const to = clients?.map(({ name }) => name) ?? null;
		const messages = Array.from(
			{ length: count },
			(): Sent => ({
				writer,
				n: node.nextNumber(),
				to,
				sentAt: performance.now(),
				outcome: 'unknown',
			}),
		);
		this.#sent.push(...messages);
		const ids = clients?.map(({ sessionId }) => sessionId);
		const outcomes = await node.send(
			ids,
			messages.map(({ n }) => event({ writer, n, to })),
		);
		for (const [index, message] of messages.entries()) message.outcome = outcomes[index] ?? 'unknown';
		return messages;
	}

	#complaints(): string[] {
		return this.#house.nodes.flatMap(({ complaints }) => complaints);
	}

	#some(random: Random): HistoryClient[] {
		const first = random.pick(this.#clients);
		const second = random.pick(this.#clients);
		return random.chance(0.2) && first !== second ? [first, second] : [first];
	}

	async #until(end: number, reached: () => boolean): Promise<void> {
		while (!reached() && performance.now() < end) await sleep(5);
	}
}

function event(data: unknown): string {
	const message = { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } };
	return `event: message\ndata: ${JSON.stringify(message)}\n\n`;
}
