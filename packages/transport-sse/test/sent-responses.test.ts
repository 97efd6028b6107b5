import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { SentResponses } from '../src/sent-responses.ts';

const MEBIBYTE = 1024 * 1024;

function openSent() {
	const clock = new ManualClock();
	const sent = new SentResponses(clock);
	const resent = (sessionId: string) => {
		const events: string[] = [];
		sent.resend(sessionId, (event) => events.push(event));
		return events;
	};
	return { clock, sent, resent };
}

describe('responses that were sent lately', () => {
	it('are sent again in order, each of its own session', () => {
		const { sent, resent } = openSent();
		sent.add('s', 'first', 'lost 1');
		sent.add('t', 'other', 'lost 2');
		sent.add('s', 'second', 'lost 3');
		expect([resent('s'), resent('t'), resent('u')]).toEqual([['first', 'second'], ['other'], []]);
	});

	it('are sent again twice, and then an error in their place', () => {
		const { sent, resent } = openSent();
		sent.add('s', 'response', 'lost');
		expect([resent('s'), resent('s'), resent('s')]).toEqual([['response'], ['response'], ['lost']]);
	});

	it('are forgotten after 30 seconds', () => {
		const { clock, sent, resent } = openSent();
		sent.add('s', 'early', 'lost');
		clock.advance(20_000);
		sent.add('s', 'late', 'lost');
		clock.advance(9_999);
		expect(resent('s')).toEqual(['early', 'late']);
		clock.advance(1);
		expect(resent('s')).toEqual(['late']);
		clock.advance(20_000);
		expect(resent('s')).toEqual([]);
	});

	it('take no more than 32 MiB: the oldest are replaced by an error', () => {
		const { sent, resent } = openSent();
		for (let n = 1; n <= 5; n++) sent.add('s', String(n).repeat(7 * MEBIBYTE), `lost ${n}`);
		expect(resent('s').map((event) => event.slice(0, 6))).toEqual(['lost 1', '222222', '333333', '444444', '555555']);
		sent.close();
	});

	it('take no more than 32 MiB with their errors, which repeat ids as long as clients like: the oldest are forgotten', () => {
		const { sent, resent } = openSent();
		const long = (n: number) => String(n).repeat(3.5 * MEBIBYTE);
		for (const n of [7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]) sent.add('s', `event ${long(n)}`, long(n));
		sent.add('t', 'event', 'lost');
		const kept = resent('s');
		expect(kept.map((event) => event[0])).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9']);
		expect(kept.reduce((sum, event) => sum + event.length, 0)).toBeLessThan(32 * MEBIBYTE);
		expect(resent('t')).toEqual(['event']);
		sent.close();
		expect([resent('s'), resent('t')]).toEqual([[], []]);
	});
});
