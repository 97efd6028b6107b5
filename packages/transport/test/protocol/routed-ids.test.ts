import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatStreamName, nodeOfWireId, parseStreamName, WireIds } from '../../src/protocol/routed-ids.ts';

const nodeIds = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
const counts = fc.nat();
const requestIds = fc.oneof(fc.integer(), fc.string({ unit: 'grapheme', maxLength: 10 }));

describe('the id of a request to a client', () => {
	it('leads its response back to the node that waits for it', () => {
		fc.assert(
			fc.property(nodeIds, (nodeId) => {
				expect(nodeOfWireId(new WireIds({ nodeId }).next('session'))).toBe(nodeId);
			}),
		);
	});

	it('is known to the node that made it, for the session that it was made for, and cannot be made up', () => {
		const ids = new WireIds({ nodeId: 'node' });
		const [first, second] = [ids.next('session'), ids.next('session')];
		expect(first).not.toBe(second);
		expect([ids.isOwn(first, 'session'), ids.isOwn(second, 'session')]).toEqual([true, true]);
		expect(ids.isOwn(first, 'other')).toBe(false);
		expect(new WireIds({ nodeId: 'node' }).isOwn(first, 'session')).toBe(false);
		expect(ids.isOwn(first.replace(':0:', ':2:'), 'session')).toBe(false);
		for (const id of ['', ':', 'node:0', `node:0:${'A'.repeat(16)}`, 'A'.repeat(16)])
			expect(ids.isOwn(id, 'session')).toBe(false);
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
		'node:1',
		'node:1:2',
		`node:1:${'a'.repeat(17)}`,
		`node:1:${'a'.repeat(16)}\n`,
		`${'n'.repeat(80)}:1:${'a'.repeat(16)}`,
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
