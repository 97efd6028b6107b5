import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import {
	END_OF_STREAM,
	parseEventId,
	requestStreamId,
	type StreamCreateOptions,
} from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { attach, StreamClient, sse, strategies } from './stream-client.ts';

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);

describe.each(strategies)('resuming, with controllers that count %s', (_, strategy) => {
	const connect = () => new StreamClient(strategy());

	it('hands over every event after the last event id, once and in order, then goes on', async () => {
		for (const id of ['s', requestStreamId('s', '1')]) {
			for (let seen = 1; seen <= 10; seen++) {
				const streams = new InMemoryStreamSessionManager();
				const first = connect();
				const attachment = attach(streams, id, first.controller);
				for (let n = 1; n <= 5; n++) streams.send([id], sse(n));
				for (let n = 1; n <= Math.min(seen, 5); n++) await first.read();
				attachment.detach();
				for (let n = 6; n <= 10; n++) streams.send([id], sse(n));

				const back = connect();
				const { continuation } = attach(streams, id, back.controller, { lastEventId: first.lastEventId ?? '' });
				expect(continuation).toBe('resumed');
				streams.send([id], sse(11));
				expect(await back.texts()).toEqual(numbers(Math.min(seen, 5) + 1, 11));
			}
		}
	});

	it('resumes any number of times from the same id, with the same events under the same ids', async () => {
		const streams = new InMemoryStreamSessionManager();
		const first = connect();
		attach(streams, 's', first.controller);
		streams.send(['s'], sse(1));
		const lastEventId = (await first.read())?.id ?? '';
		streams.send(['s'], sse(2));
		streams.send(undefined, sse(3));
		const rest = await first.readAll();
		for (let times = 0; times < 3; times++) {
			const back = connect();
			expect(attach(streams, 's', back.controller, { lastEventId }).continuation).toBe('resumed');
			expect(await back.readAll()).toEqual(rest);
		}
	});

	it('resumes a session stream with its own messages and broadcasts in the order in which they were sent', async () => {
		const streams = new InMemoryStreamSessionManager();
		const first = connect();
		const attachment = attach(streams, 's', first.controller, { prime: sse('prime') });
		await first.read();
		attachment.detach();
		for (let n = 1; n <= 20; n++) streams.send(n % 3 === 0 ? undefined : ['s', 'other'], sse(n));
		const back = connect();
		attach(streams, 's', back.controller, { lastEventId: first.lastEventId ?? '' });
		expect(await back.texts()).toEqual(numbers(1, 20));
	});

	it('never replays what belongs to another stream or another session', async () => {
		const streams = new InMemoryStreamSessionManager();
		const ids = ['a', 'a 1', 'a 2', 'b', 'b 1'];
		const clients = new Map(ids.map((id) => [id, connect()]));
		for (const [id, client] of clients) attach(streams, id, client.controller, { prime: sse('prime') });
		for (const client of clients.values()) await client.read();
		for (let n = 1; n <= 3; n++) for (const id of ids) streams.send([id], sse(`${id}#${n}`));
		for (const [id, client] of clients) {
			const back = connect();
			attach(streams, id, back.controller, { lastEventId: client.lastEventId ?? '' });
			expect(await back.texts()).toEqual([1, 2, 3].map((n) => `${id}#${n}`));
		}
	});

	it('takes an id of another stream of the session for none of this stream', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [session, request] = [connect(), connect()];
		attach(streams, 's', session.controller);
		attach(streams, 's 1', request.controller);
		streams.send(['s', 's 1'], sse(1));
		await Promise.all([session.read(), request.read()]);
		const back = connect();
		expect(attach(streams, 's', back.controller, { lastEventId: request.lastEventId ?? '' }).continuation).toBe('gap');
		const lastEventId = session.lastEventId ?? '';
		expect(attach(streams, 's 1', connect().controller, { lastEventId }).continuation).toBe('gap');
		expect(await back.texts()).toEqual([]);
	});

	it('primes a stream with an id that one can resume from, before any message', async () => {
		const streams = new InMemoryStreamSessionManager();
		for (const id of ['s', 's 1']) {
			const first = connect();
			const attachment = attach(streams, id, first.controller, { prime: 'retry: 100\ndata:\n\n' });
			expect(await first.readRaw()).toMatch(/^id: \S+\nretry: 100\ndata:\n\n$/);
			attachment.detach();
		}
		for (const id of ['s', 's 1']) {
			const first = connect();
			const attachment = attach(streams, id, first.controller, { prime: sse('prime') });
			await first.read();
			attachment.detach();
			const back = connect();
			const options = { lastEventId: first.lastEventId ?? '' };
			expect(attach(streams, id, back.controller, options).continuation).toBe('resumed');
			streams.send([id], sse(1));
			expect(await back.texts()).toEqual(['1']);
		}
	});

	it('primes before what was missed, under an id from which one gets all of it', async () => {
		const streams = new InMemoryStreamSessionManager();
		for (const id of ['s', 's 1']) {
			streams.send([id], sse(1));
			streams.send([id], sse(2));
			const first = connect();
			attach(streams, id, first.controller, { prime: sse('prime') });
			expect((await first.read())?.data).toBe('prime');
			const back = connect();
			const { continuation } = attach(streams, id, back.controller, { lastEventId: first.lastEventId ?? '' });
			expect(continuation).toBe('resumed');
			expect(await back.texts()).toEqual(['1', '2']);
			expect(await first.texts()).toEqual(['1', '2']);
		}
	});

	it('closes a request stream after its last event, and answers that it has ended from then on', async () => {
		for (const last of [`${sse('answer').trimEnd()}\n${END_OF_STREAM}\n\n`, `${END_OF_STREAM}\n\n`]) {
			const streams = new InMemoryStreamSessionManager();
			const client = connect();
			attach(streams, 's 1', client.controller, { prime: sse('prime') });
			streams.send(['s 1'], sse('progress'));
			streams.send(['s 1'], last);
			expect(streams.has('s 1')).toBe(false);
			const received = await client.readAll();
			expect(client.ended).toBe('closed');

			for (const [index, { id }] of received.entries()) {
				const back = connect();
				const { continuation } = attach(streams, 's 1', back.controller, { lastEventId: id ?? '' });
				const rest = received.slice(index + 1);
				expect(continuation).toBe(rest.length === 0 ? 'ended' : 'resumed');
				expect(await back.readAll()).toEqual(rest);
				expect(back.ended).toBe(rest.length === 0 ? undefined : 'closed');
			}
			expect(attach(streams, 's 1', connect().controller).continuation).toBe('ended');
			expect(streams.has('s 1')).toBe(false);
		}
	});

	it('delivers the end that came while nobody held the stream', async () => {
		const streams = new InMemoryStreamSessionManager();
		const client = connect();
		attach(streams, 's 1', connect().controller).detach();
		streams.send(['s 1'], `data: answer\n${END_OF_STREAM}\n\n`);
		expect(attach(streams, 's 1', client.controller).continuation).toBe('fresh');
		expect(await client.texts()).toEqual(['answer']);
		expect(client.ended).toBe('closed');
		expect(streams.stats().streams).toBe(0);
	});

	it('does not mistake a message that speaks of the end for the end, nor ends a session stream', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [request, session] = [connect(), connect()];
		attach(streams, 's 1', request.controller);
		attach(streams, 's', session.controller);
		streams.send(['s 1'], `data: ${END_OF_STREAM}\n\n`);
		streams.send(['s 1'], `data: x\n:ending\n\n`);
		streams.send(['s'], `data: x\n${END_OF_STREAM}\n\n`);
		await Promise.all([request.readAll(), session.readAll()]);
		expect([request.ended, session.ended]).toEqual([undefined, undefined]);
	});

	it('closes a request stream without history after its last event, too', async () => {
		const streams = new InMemoryStreamSessionManager();
		const client = connect();
		attach(streams, 's 1', client.controller, { history: false });
		streams.send(['s 1'], `data: answer\n${END_OF_STREAM}\n\n`);
		expect(await client.readRaw()).toBe(`data: answer\n${END_OF_STREAM}\n\n`);
		await client.readAll();
		expect(client.ended).toBe('closed');
		expect(streams.has('s 1')).toBe(false);
	});

	it('keeps nothing that a stream without history delivered, and all that it could not deliver', async () => {
		const streams = new InMemoryStreamSessionManager();
		for (const id of ['s', 's 1']) {
			const first = connect();
			const attachment = attach(streams, id, first.controller, { history: false });
			streams.send([id], sse('delivered'));
			expect(streams.stats().events).toBe(0);
			attachment.detach();
			streams.send([id], sse('waits'));
			const second = connect();
			attach(streams, id, second.controller, { history: false });
			expect(await second.texts()).toEqual(['waits']);
			const third = connect();
			attach(streams, id, third.controller);
			expect(await third.texts()).toEqual([]);
			streams.delete('s');
		}
	});
});

describe('retention', () => {
	/** A client that saw the first event of `id` and then `send`s what is done to the manager while it is away. */
	async function comeBack(streams: InMemoryStreamSessionManager, id: string, meanwhile: () => void) {
		const first = new StreamClient();
		const attachment = attach(streams, id, first.controller);
		streams.send([id], sse('seen'));
		await first.readAll();
		attachment.detach();
		meanwhile();
		const back = new StreamClient();
		const { continuation } = attach(streams, id, back.controller, { lastEventId: first.lastEventId ?? '' });
		return { continuation, texts: await back.texts() };
	}

	it.each(['s', 's 1'])('keeps so many events and tells of a gap beyond, for stream %j', async (id) => {
		for (const sent of [9, 10, 11, 500]) {
			const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 10 } });
			const { continuation, texts } = await comeBack(streams, id, () => {
				for (let n = 1; n <= sent; n++) streams.send([id], sse(n));
			});
			expect(continuation).toBe(sent > 10 ? 'gap' : 'resumed');
			expect(texts).toEqual(numbers(Math.max(1, sent - 9), sent));
		}
	});

	it.each(['s', 's 1'])('keeps so many bytes of UTF-8 and tells of a gap beyond, for stream %j', async (id) => {
		const data = 'ä'.repeat(100);
		const maxBytes = 4 * Buffer.byteLength(sse(data));
		for (const sent of [4, 5]) {
			const streams = new InMemoryStreamSessionManager({ history: { maxBytes } });
			const { continuation, texts } = await comeBack(streams, id, () => {
				for (let n = 1; n <= sent; n++) streams.send([id], sse(data));
			});
			expect(continuation).toBe(sent > 4 ? 'gap' : 'resumed');
			expect(texts).toHaveLength(4);
			expect(streams.stats().events).toBe(4);
		}
	});

	it('keeps the newest event whatever its size', async () => {
		const streams = new InMemoryStreamSessionManager({ history: { maxBytes: 10 } });
		const { texts } = await comeBack(streams, 's', () => streams.send(['s'], sse('x'.repeat(100))));
		expect(texts).toEqual(['x'.repeat(100)]);
	});

	it.each(['s', 's 1'])('keeps events so long and tells of a gap beyond, for stream %j', async (id) => {
		for (const [age, expected] of [
			[1000, 'resumed'],
			[1001, 'gap'],
		] as const) {
			const clock = new ManualClock();
			const streams = new InMemoryStreamSessionManager({ history: { maxAgeMs: 1000 }, clock });
			const { continuation, texts } = await comeBack(streams, id, () => {
				streams.send([id], sse('old'));
				clock.advance(age - 500);
				streams.send([id], sse('new'));
				clock.advance(500);
			});
			expect(continuation).toBe(expected);
			expect(texts).toEqual(expected === 'gap' ? ['new'] : ['old', 'new']);
		}
	});

	it('tells of a gap when broadcasts were dropped, by count and by age', async () => {
		const clock = new ManualClock();
		for (const meanwhile of [
			(streams: InMemoryStreamSessionManager) => {
				for (let n = 1; n <= 11; n++) streams.send(undefined, sse(n));
			},
			(streams: InMemoryStreamSessionManager) => {
				streams.send(undefined, sse(1));
				clock.advance(1001);
				for (let n = 2; n <= 11; n++) streams.send(undefined, sse(n));
			},
		]) {
			const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 10, maxAgeMs: 1000 }, clock });
			const { continuation, texts } = await comeBack(streams, 's', () => meanwhile(streams));
			expect(continuation).toBe('gap');
			expect(texts).toEqual(numbers(2, 11));
		}
	});

	it('tells of a gap when what waited for a first client was dropped', async () => {
		for (const id of ['s', 's 1']) {
			const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 3 } });
			for (let n = 1; n <= 4; n++) streams.send([id], sse(n));
			const client = new StreamClient();
			expect(attach(streams, id, client.controller).continuation).toBe('gap');
			expect(await client.texts()).toEqual(['2', '3', '4']);
			expect(attach(streams, id, new StreamClient().controller).continuation).toBe('fresh');
		}
	});

	it('tells of a gap also while an old holder is still attached', async () => {
		const clock = new ManualClock();
		const streams = new InMemoryStreamSessionManager({ history: { maxAgeMs: 1000 }, clock });
		for (const id of ['s', 's 1']) {
			const first = new StreamClient();
			attach(streams, id, first.controller);
			streams.send([id], sse(1));
			await first.read();
			streams.send([id], sse(2));
			clock.advance(1001);
			const options = { lastEventId: first.lastEventId ?? '' };
			expect(attach(streams, id, new StreamClient().controller, options).continuation).toBe('gap');
		}
	});

	it('sees no gap in the session stream, nor in a quiet request, because of a chatty request', async () => {
		for (const id of ['s', 's quiet']) {
			const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 10 } });
			attach(streams, 's chatty', new StreamClient().controller);
			const quiet = new StreamClient();
			const attachment = attach(streams, id, quiet.controller);
			streams.send([id], sse(1));
			await quiet.read();
			attachment.detach();
			for (let n = 1; n <= 100; n++) streams.send(['s chatty'], sse(n));
			streams.send([id], sse(2));
			const back = new StreamClient();
			const { continuation } = attach(streams, id, back.controller, { lastEventId: quiet.lastEventId ?? '' });
			expect(continuation).toBe('resumed');
			expect(await back.texts()).toEqual(['2']);
		}
	});

	it('sees no gap in the session stream because of the session stream of another', async () => {
		const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 10 } });
		const { continuation } = await comeBack(streams, 's', () => {
			for (let n = 1; n <= 100; n++) streams.send(['other'], sse(n));
		});
		expect(continuation).toBe('resumed');
	});

	it('primes a request stream so that it can be resumed, whatever other requests did before and after', async () => {
		const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 10 } });
		const chatter = () => {
			for (let n = 1; n <= 100; n++) streams.send(['s chatty'], sse(n));
		};
		chatter();
		const first = new StreamClient();
		const attachment = attach(streams, 's 1', first.controller, { prime: sse('prime') });
		await first.read();
		attachment.detach();
		chatter();
		const options = { lastEventId: first.lastEventId ?? '' };
		expect(attach(streams, 's 1', new StreamClient().controller, options).continuation).toBe('resumed');
	});

	it('resumes a session of which it keeps nothing any more when nothing was lost, and tells of a gap otherwise', async () => {
		const clock = new ManualClock();
		const streams = new InMemoryStreamSessionManager({ history: { maxAgeMs: 1000 }, clock });
		const [calm, busy] = [new StreamClient(), new StreamClient()];
		attach(streams, 'busy', busy.controller, { prime: sse('prime') }).detach();
		streams.send(['busy'], sse(1));
		attach(streams, 'calm', calm.controller, { prime: sse('prime') }).detach();
		await Promise.all([calm.readAll(), busy.readAll()]);
		clock.advance(10_000);
		expect(streams.stats()).toEqual({ streams: 0, listeners: 0, sessions: 0, events: 0 });
		const resume = (id: string, { lastEventId = '' }: StreamClient) =>
			attach(streams, id, new StreamClient().controller, { lastEventId }).continuation;
		expect(resume('busy', busy)).toBe('gap');
		expect(resume('calm', calm)).toBe('resumed');
	});

	it('keeps nothing where nothing is to be kept, and says so to whoever resumes', async () => {
		const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 0 } });
		for (const id of ['s', 's 1']) {
			const { continuation, texts } = await comeBack(streams, id, () => streams.send([id], sse('lost')));
			expect(continuation).toBe('gap');
			expect(texts).toEqual([]);
		}
		streams.send(['s 1'], `data: x\n${END_OF_STREAM}\n\n`);
		expect(streams.stats().events).toBe(0);
	});
});

describe('a session stream that nobody held yet', () => {
	it('begins with the broadcasts after the session began, and what was sent to it, in order', async () => {
		const streams = new InMemoryStreamSessionManager();
		streams.send(undefined, sse('before'));
		const since = streams.position();
		streams.send(undefined, sse(1));
		streams.send(['s'], sse(2));
		streams.send(undefined, sse(3));
		const [first, second] = [new StreamClient(), new StreamClient()];
		expect(attach(streams, 's', first.controller, { since }).continuation).toBe('fresh');
		expect(await first.texts()).toEqual(['1', '2', '3']);
		expect(attach(streams, 's', second.controller, { since }).continuation).toBe('fresh');
		expect(await second.texts()).toEqual([]);
	});

	it('has no gap because of what other sessions left behind', () => {
		const streams = new InMemoryStreamSessionManager();
		attach(streams, 'other', new StreamClient().controller);
		streams.send(['other'], sse(1));
		streams.delete('other');
		const { continuation } = attach(streams, 's', new StreamClient().controller, { since: streams.position() });
		expect(continuation).toBe('fresh');
	});

	it('has a gap when broadcasts after the session began were dropped, and none for older ones', async () => {
		const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 3 } });
		const positions = [streams.position()];
		for (let n = 1; n <= 5; n++) {
			streams.send(undefined, sse(n));
			positions.push(streams.position());
		}
		for (const [sent, continuation, left] of [
			[0, 'gap', ['3', '4', '5']],
			[1, 'gap', ['3', '4', '5']],
			[2, 'fresh', ['3', '4', '5']],
			[3, 'fresh', ['4', '5']],
			[5, 'fresh', []],
		] as const) {
			const client = new StreamClient();
			const since = positions[sent] ?? '';
			expect(attach(streams, `s-${sent}`, client.controller, { since }).continuation).toBe(continuation);
			expect(await client.texts()).toEqual(left);
		}
	});
});

describe('a step of the wall clock', () => {
	const HOUR = 3_600_000;

	it.each([
		['forth', HOUR],
		['back', -HOUR],
	])('of an hour %s makes no history vanish and none stay', async (_, step) => {
		const clock = new ManualClock(100 * HOUR);
		const streams = new InMemoryStreamSessionManager({ clock, history: { maxAgeMs: 60_000 } });
		const first = new StreamClient();
		const since = streams.position();
		const { detach } = attach(streams, 's', first.controller, { prime: sse('prime') });
		const lastEventId = (await first.read())?.id ?? '';
		detach();
		streams.send(['s', 's 1'], sse(1));
		streams.send(undefined, sse(2));
		clock.setNow(clock.now() + step);
		clock.advance(30_000);
		const back = new StreamClient();
		const resumed = attach(streams, 's', back.controller, { lastEventId });
		expect(resumed.continuation).toBe('resumed');
		expect(await back.texts()).toEqual(['1', '2']);
		const other = new StreamClient();
		const fresh = attach(streams, 't', other.controller, { since });
		expect([fresh.continuation, ...(await other.texts())]).toEqual(['fresh', '2']);
		resumed.detach();
		fresh.detach();
		clock.advance(90_000);
		expect(streams.stats()).toEqual({ streams: 0, listeners: 0, sessions: 0, events: 0 });
	});
});

describe('last event ids that were never given out', () => {
	it('continue with a gap, and reveal nothing that was delivered before', async () => {
		const streams = new InMemoryStreamSessionManager();
		const first = new StreamClient();
		attach(streams, 's', first.controller);
		streams.send(['s'], sse(1));
		const good = (await first.read())?.id ?? '';
		const [epoch = '', offset = ''] = good.split(/-(?=[^-]*$)/);
		const foreign = new InMemoryStreamSessionManager();
		const other = new StreamClient();
		foreign.create('s', other.controller, { prime: sse('prime') });
		await other.read();
		const bad = [
			other.lastEventId ?? '',
			'',
			' ',
			'0',
			'1',
			'-1',
			'garbage',
			epoch,
			`${epoch}-`,
			`${epoch}--1`,
			`${epoch}-0${offset}`,
			`${epoch}-${offset}.5`,
			`${epoch}-${offset.toUpperCase()} `,
			`${epoch}-zzzzzzzz`,
			`${epoch}-Infinity`,
			`${good}/`,
			`${good}/1`,
			`${good}\n`,
			'x'.repeat(100_000),
			'\0',
			'🜚',
		];
		for (const lastEventId of bad) {
			const back = new StreamClient();
			expect(attach(streams, 's', back.controller, { lastEventId }).continuation, lastEventId.slice(0, 50)).toBe('gap');
			streams.send(['s'], sse('live'));
			expect(await back.texts()).toEqual(['live']);
		}
	});

	it('never keep a client waiting on a request stream that is over', async () => {
		const streams = new InMemoryStreamSessionManager();
		const [first, back] = [new StreamClient(), new StreamClient()];
		attach(streams, 's 1', first.controller);
		streams.send(['s 1'], `data: x\n${END_OF_STREAM}\n\n`);
		expect(attach(streams, 's 1', back.controller, { lastEventId: 'garbage' }).continuation).toBe('gap');
		await back.readAll();
		expect(back.ended).toBe('closed');
	});
});

it('gives every event of a session an id of its own, over all its streams', async () => {
	const streams = new InMemoryStreamSessionManager();
	const ids: string[] = [];
	const clients: StreamClient[] = [];
	for (let n = 0; n < 10; n++) {
		for (const id of ['s', 's 1', 's 2']) {
			const client = new StreamClient();
			clients.push(client);
			attach(streams, id, client.controller, { prime: sse('prime') });
		}
		streams.send(['s', 's 1', 's 2'], sse(n));
		streams.send(undefined, sse(n));
	}
	for (const client of clients) for (const { id } of await client.readAll()) ids.push(id ?? '');
	expect(ids).toHaveLength(10 * (3 + 3 + 1));
	expect(new Set(ids).size).toBe(ids.length);
	for (const id of ids) expect(parseEventId(id)).toBeDefined();
});

describe('a client that is being told of a gap', () => {
	const LOST = { lastEventId: 'lost' };

	/** Opens a stream with a gap, by default after an event that nobody knows; `tell` ends the telling. */
	function opening(streams: InMemoryStreamSessionManager, id: string, options: StreamCreateOptions = LOST) {
		if (options === LOST) attach(streams, id, new StreamClient().controller).detach();
		const client = new StreamClient();
		let tell = () => {};
		let gaps = 0;
		const ongap = () => {
			gaps++;
			return new Promise<void>((resolve) => {
				tell = resolve;
			});
		};
		const opened = Promise.resolve(streams.create(id, client.controller, { ...options, ongap }));
		return { client, opened, tell: () => tell(), gaps: () => gaps };
	}

	it.each(['s', 's 1'])('gets all that was left and comes meanwhile, though little is kept: stream %j', async (id) => {
		const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 3 } });
		for (let n = 1; n <= 5; n++) streams.send([id], sse(n));
		const { client, opened, tell, gaps } = opening(streams, id, {});
		for (let n = 6; n <= 15; n++) streams.send(id === 's' && n % 3 === 0 ? undefined : [id], sse(n));
		expect(client.ended).toBe(undefined);
		tell();
		await opened;
		streams.send([id], sse(16));
		expect(await client.texts()).toEqual(numbers(3, 16));
		expect(gaps()).toBe(1);
	});

	it('gets the end of a request stream, too, and then the stream is over', async () => {
		const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 1 } });
		const { client, opened, tell } = opening(streams, 's 1');
		streams.send(['s 1'], sse(1));
		streams.send(['s 1'], `data: 2\n${END_OF_STREAM}\n\n`);
		tell();
		await opened;
		expect(await client.texts()).toEqual(['1', '2']);
		expect(client.ended).toBe('closed');
	});

	it('gets a broadcast once that is on its way to many', async () => {
		const streams = new InMemoryStreamSessionManager();
		for (let n = 0; n < 3_000; n++) attach(streams, `other-${n}`, new StreamClient().controller);
		for (const tellFirst of [true, false]) {
			const { client, opened, tell } = opening(streams, `s ${tellFirst}`.replace(' ', '-'));
			const sent = Promise.resolve(streams.send(undefined, sse('to all')));
			if (!tellFirst) await sent;
			tell();
			await opened;
			await sent;
			expect(await client.texts()).toEqual(['to all']);
		}
	});

	it('is closed where more comes than may wait, and what is lost then is a gap', async () => {
		const streams = new InMemoryStreamSessionManager({ history: { maxEvents: 3 } });
		const { client, opened, tell } = opening(streams, 's');
		for (let n = 1; n <= 10_000; n++) streams.send(['s'], sse(n));
		expect(streams.has('s')).toBe(true);
		streams.send(['s'], sse(10_001));
		expect(streams.has('s')).toBe(false);
		tell();
		await opened;
		expect(await client.texts()).toEqual([]);
		const back = new StreamClient();
		expect(attach(streams, 's', back.controller).continuation).toBe('gap');
		expect(await back.texts()).toEqual(numbers(9_999, 10_001));
	});
});
