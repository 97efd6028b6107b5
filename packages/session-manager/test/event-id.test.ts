import {
	EVERY_NODE,
	formatEventId,
	isAddress,
	isSessionStream,
	MAX_EVENT_ID_LENGTH,
	nodeAddress,
	parseEventId,
	parseStreamId,
	requestStreamId,
} from '@holdfast/session-manager/custom';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

// The same cases in every run; a new seed by hand finds new ones.
fc.configureGlobal({ seed: 20_261_120 });

const characters = (from: number, to: number, without = '') =>
	Array.from({ length: to - from + 1 }, (_, index) => String.fromCharCode(from + index)).filter(
		(character) => !without.includes(character),
	);
const position = fc.stringMatching(/^[A-Za-z0-9._-]{1,128}$/);
const name = fc.string({ unit: fc.constantFrom(...characters(0x21, 0x7e, '/')), minLength: 1, maxLength: 383 });
const sessionId = fc.string({ unit: fc.constantFrom(...characters(0x21, 0x7e)), minLength: 1, maxLength: 100 });

describe('an event id', () => {
	it('is read back as it was written', () => {
		fc.assert(
			fc.property(position, fc.oneof(fc.constant(''), name), (at, of) => {
				const text = formatEventId(at, of);
				expect(text.length).toBeLessThanOrEqual(MAX_EVENT_ID_LENGTH);
				expect(parseEventId(text)).toEqual({ position: at, name: of });
			}),
		);
	});

	it('is written in one way only', () => {
		const text = fc.oneof(fc.string(), fc.stringMatching(/^[-A-Za-z0-9._/ \n]{0,20}$/));
		fc.assert(
			fc.property(text, (any) => {
				const id = parseEventId(any);
				if (id !== undefined) expect(formatEventId(id.position, id.name)).toBe(any);
			}),
			{ numRuns: 2000 },
		);
	});

	it.each([
		'',
		'/',
		'/name',
		'position/',
		'a/b/c',
		'a b',
		' a',
		'a ',
		'a\n',
		'a\nid: b',
		'a\0',
		'ä',
		'a/ä',
		'a/b c',
		'x'.repeat(129),
		`x/${'n'.repeat(384)}`,
		'x'.repeat(10_000_000),
	])('is not taken from what is none (case %#)', (text) => {
		expect(parseEventId(text)).toBeUndefined();
	});
});

describe('a stream id', () => {
	it('is taken apart into what it was made of, and is of exactly one kind', () => {
		fc.assert(
			fc.property(sessionId, name, (session, of) => {
				const kinds = (id: string) => [isSessionStream(id), isAddress(id)];
				expect(parseStreamId(session)).toEqual({ sessionId: session, name: '' });
				expect(kinds(session)).toEqual([true, false]);
				expect(parseStreamId(requestStreamId(session, of))).toEqual({ sessionId: session, name: of });
				expect(kinds(requestStreamId(session, of))).toEqual([false, false]);
				expect(parseStreamId(nodeAddress(of)).sessionId).toBe('');
				expect(kinds(nodeAddress(of))).toEqual([false, true]);
			}),
		);
	});

	it('of every node is an address that no node has for itself', () => {
		expect(isAddress(EVERY_NODE)).toBe(true);
		expect(EVERY_NODE).toBe(nodeAddress('*'));
	});
});
