import { BrokerStreamSessionManager, requestStreamId } from '@holdfast/session-manager/custom';
import { expect, it } from 'vitest';

const SUBSCRIBERS = 10_000;
const everyone = Array.from({ length: SUBSCRIBERS }, (_, n) => `s${n}`);
const slice = { epoch: 'e', start: 0, events: [], gap: false };

/** A broker that answers when it is told to, and notes what it is asked for. */
class SlowBroker extends BrokerStreamSessionManager {
	/** What was asked for, in order: the data and the streams. */
	readonly asked: (readonly [what: string, ids: readonly string[]])[] = [];
	readonly #answers: (() => void)[] = [];
	/** How many streams wait for an answer, and how many did at most. */
	waiting = 0;
	mostWaiting = 0;
	failing = false;

	/** The streams that were asked for in the order of the calls. */
	get streams(): string[] {
		return this.asked.flatMap(([, ids]) => ids);
	}

	/** Answers everything that waits. */
	answer(): void {
		for (const answered of this.#answers.splice(0)) answered();
	}

	/** Answers in each turn until `work` is done. Returns how many turns it took. */
	async answerUntil(work: PromiseLike<unknown> | void): Promise<number> {
		let done = false;
		const end = () => {
			done = true;
		};
		const settled = Promise.resolve(work).then(end, end);
		let turns = 0;
		for (; !done; turns++) {
			this.answer();
			await nextTurn();
		}
		await settled;
		return turns;
	}

	protected append(ids: readonly string[], data: string): Promise<(number | undefined)[]> {
		this.asked.push([data, ids]);
		this.waiting += ids.length;
		this.mostWaiting = Math.max(this.mostWaiting, this.waiting);
		const { failing } = this;
		return new Promise((resolve, reject) => {
			this.#answers.push(() => {
				this.waiting -= ids.length;
				if (failing) reject(new Error('out of order'));
				else resolve(ids.map((_, index) => index));
			});
		});
	}

	protected appendBroadcast(data: string): void {
		this.asked.push([data, []]);
	}

	protected forget(id: string): void {
		this.asked.push(['forget', [id]]);
	}

	protected attach = () => ({ outcome: 'taken' as const, order: 1, own: slice, broadcasts: slice });
	protected detach = () => undefined;
	protected readBroadcasts = () => slice;
	protected lastBroadcast = () => ({ epoch: 'e', offset: 0 });
	protected publish = () => undefined;
	protected subscribe = () => undefined;
	protected unsubscribe = () => undefined;
	protected isHeard = () => true;
}

function nextTurn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

it('tells many subscribers a few at a time, and the event loop goes on in between', async () => {
	const broker = new SlowBroker();
	const turns = await broker.answerUntil(broker.send(everyone, 'news') as Promise<void>);
	expect(broker.streams).toEqual(everyone);
	const most = Math.max(...broker.asked.map(([, ids]) => ids.length));
	expect(most).toBeLessThanOrEqual(256);
	expect(turns).toBeGreaterThanOrEqual(SUBSCRIBERS / most);
});

it('keeps a bounded number of subscribers waiting for the broker, and more than one step of them', async () => {
	const broker = new SlowBroker();
	const sent = broker.send(everyone, 'news') as Promise<void>;
	for (let turn = 0; turn < 100; turn++) await nextTurn();
	// Nothing is answered yet: what follows does not wait for each step, and not all follows.
	expect(broker.waiting).toBeGreaterThan(1_200);
	expect(broker.waiting).toBeLessThan(2_000);
	await broker.answerUntil(sent);
	expect(broker.mostWaiting).toBeLessThan(2_000);
	expect(broker.streams).toEqual(everyone);
});

it('keeps the fewer subscribers waiting for the broker the longer an event is', async () => {
	const broker = new SlowBroker();
	const [some, mebibyte] = [everyone.slice(0, 200), 'x'.repeat(1024 * 1024)];
	await broker.answerUntil(broker.send(some, mebibyte) as Promise<void>);
	expect(broker.mostWaiting).toBeLessThanOrEqual(12);
	expect(broker.streams).toEqual(some);
});

it('tells each subscriber what was sent in the order of the calls', async () => {
	const broker = new SlowBroker();
	const calls = [
		broker.send(everyone, 'first'),
		broker.send(['s9999'], 'second'),
		broker.send(undefined, 'to all'),
		broker.send(everyone, 'third'),
		broker.send(['s9999', 's0'], 'fourth'),
		broker.delete('s9998'),
	];
	await broker.answerUntil(Promise.all(calls));
	const last = broker.asked.flatMap(([what, ids]) => (ids.includes('s9999') || ids.length === 0 ? [what] : []));
	expect(last).toEqual(['first', 'second', 'to all', 'third', 'fourth']);
	expect(broker.asked.at(-1)).toEqual(['forget', ['s9998']]);
});

it('lets responses pass while many subscribers are being told', async () => {
	const broker = new SlowBroker();
	const sent = broker.send(everyone, 'news') as Promise<void>;
	const response = requestStreamId('s9999', '1');
	const responded = broker.send([response], 'response') as Promise<void>;
	expect(broker.asked.map(([what]) => what)).toEqual(['news', 'response']);
	await broker.answerUntil(Promise.all([sent, responded]));
});

it('tries every subscriber although the broker fails, and rejects once', async () => {
	const broker = new SlowBroker();
	broker.failing = true;
	const sent = broker.send(everyone, 'news') as Promise<void>;
	const refused = expect(sent).rejects.toThrow('out of order');
	await broker.answerUntil(sent);
	await refused;
	expect(broker.streams).toEqual(everyone);
	broker.failing = false;
	await broker.answerUntil(broker.send(['s1'], 'later') as Promise<void>);
	expect(broker.asked.at(-1)).toEqual(['later', ['s1']]);
});

it('keeps a bounded number of subscribers waiting for a broker that fails, too', async () => {
	const broker = new SlowBroker();
	broker.failing = true;
	const all = Array.from({ length: 50_000 }, (_, n) => `s${n}`);
	const sent = broker.send(all, 'news') as Promise<void>;
	const refused = expect(sent).rejects.toThrow('out of order');
	await nextTurn();
	broker.answer();
	for (let turn = 0; turn < 300; turn++) await nextTurn();
	// Those behind a part of it that is away hold up few of the others.
	expect(broker.waiting).toBeGreaterThan(5_000);
	expect(broker.waiting).toBeLessThan(10_000);
	await broker.answerUntil(sent);
	await refused;
	expect(broker.mostWaiting).toBeLessThan(10_000);
	expect(broker.streams).toEqual(all);
});
