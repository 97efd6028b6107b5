import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatStreamName, formatWireId, nodeOfWireId, parseStreamName } from '../../src/protocol/routed-ids.ts';

const nodeIds = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
const counts = fc.nat();
const requestIds = fc.oneof(fc.integer(), fc.string({ unit: 'grapheme', maxLength: 10 }));

describe('the id of a request to a client', () => {
	it('leads its response back to the node that waits for it', () => {
		fc.assert(
			fc.property(nodeIds, counts, (nodeId, count) => {
				expect(nodeOfWireId(formatWireId(nodeId, count))).toBe(nodeId);
			}),
		);
	});

	it.each([
		undefined,
		null,
		0,
		7,
		'',
		':',
		'node',
		'node:',
		':1',
		'a b:1',
		'node:1:2',
		'node:1\n',
		`${'n'.repeat(70)}:1`,
	])('names no node where none of ours made it: %j', (id) => {
		expect(nodeOfWireId(id)).toBeUndefined();
	});
});

describe('the name of a request stream', () => {
	it('tells the node and the request, whatever the id of the request', () => {
		fc.assert(
			fc.property(nodeIds, counts, requestIds, (nodeId, count, requestId) => {
				const name = formatStreamName('session', nodeId, count, requestId);
				expect(parseStreamName('session', name)).toEqual({ nodeId, requestId });
			}),
		);
	});

	it('tells the node alone where it has no request, or one of a very long id', () => {
		const expected = { nodeId: 'node', requestId: undefined };
		expect(parseStreamName('session', formatStreamName('session', 'node', 3, undefined))).toEqual(expected);
		expect(parseStreamName('session', formatStreamName('session', 'node', 3, 'x'.repeat(1_000)))).toEqual(expected);
	});

	it('fits into an event id: visible ASCII, without a slash', () => {
		fc.assert(
			fc.property(nodeIds, counts, requestIds, (nodeId, count, requestId) => {
				expect(formatStreamName('session', nodeId, count, requestId)).toMatch(/^[!-.0-~]+$/);
			}),
		);
	});

	it('says nothing in another session', () => {
		fc.assert(
			fc.property(nodeIds, counts, requestIds, (nodeId, count, requestId) => {
				expect(parseStreamName('other', formatStreamName('session', nodeId, count, requestId))).toBeUndefined();
			}),
		);
	});

	it('says nothing once anything in it was changed', () => {
		const name = formatStreamName('session', 'node', 3, 7);
		for (let at = 0; at < name.length; at++) {
			const changed = `${name.slice(0, at)}${name[at] === 'b' ? 'c' : 'b'}${name.slice(at + 1)}`;
			expect(parseStreamName('session', changed)).toBeUndefined();
		}
	});

	it.each([
		'',
		'.',
		'node',
		'node.',
		'.1',
		'a b.1',
		'node.1.',
		'node.1.bnVsbA',
		'node.1.e30',
		'node.1.!',
		'node.1.a.b',
	])('is not taken for one where no node of ours made it: %j', (name) => {
		expect(parseStreamName('session', name)).toBeUndefined();
	});
});
