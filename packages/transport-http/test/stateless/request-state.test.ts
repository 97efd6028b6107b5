import {
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	SessionManagerError,
} from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { HttpTransport } from '@holdfast/transport-http';
import { inputRequired, McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Loose } from '../../../../test/support/clients/wire-response.ts';
import { type Door, doors } from '../../../../test/support/doors.ts';
import { Rig, textOf } from '../../../../test/support/rig.ts';
import { ask, statelessMessage } from '../../../../test/support/stateless-request.ts';

const [first, second] = ['first key, which is 32 bytes long.', 'second key, which is 32 bytes too.'];
const MINUTE = 60_000;

/** A server that asks once more, and then tells what it had asked the client to keep. */
function asking() {
	const server = new McpServer({ name: 'asking', version: '1' });
	for (const name of ['pay', 'refund']) {
		server.registerTool(
			name,
			{ inputSchema: z.object({ amount: z.number(), to: z.string().optional() }) },
			(args, { mcpReq }) => {
				const state = mcpReq.requestState<string>();
				if (state === undefined) return inputRequired({ requestState: `secret of ${name} ${args.amount}` });
				return { content: [{ type: 'text', text: state }] };
			},
		);
	}
	server.registerPrompt('pay', {}, () => ({ messages: [] }));
	return server;
}

class Info extends InMemoryInfoSessionManager {
	isDown = false;

	override acquireLease(name: string, holder: string, ttlMs: number) {
		if (this.isDown) throw new SessionManagerError('unavailable', 'The store is away.');
		return super.acquireLease(name, holder, ttlMs);
	}
}

/** Two nodes, each with keys of its own choice. */
async function openNodes(
	door: Door,
	keys: readonly (readonly string[] | undefined)[] = [[first], [first]],
	ttlMs?: number,
	clock = new ManualClock(1_000_000),
	info = new Info({ clock }),
) {
	const sessionManager = { info, streams: new InMemoryStreamSessionManager({ clock }) };
	const open = (own?: readonly string[]) =>
		Rig.open(door, {
			clock,
			sessionManager,
			createServer: asking,
			stateless: { requestState: { ...(own && { keys: own }), ...(ttlMs !== undefined && { ttlMs }) } },
			authenticate: ({ header }) => {
				const sub = header('authorization');
				return sub === undefined
					? undefined
					: { token: `${sub} ${Math.random()}`, clientId: 'c', scopes: [], extra: { sub } };
			},
		});
	return { a: await open(keys[0]), b: await open(keys[1]), clock, info };
}

type Change = { readonly name?: string; readonly args?: Loose; readonly sub?: string; readonly method?: string };

async function pay(
	rig: Rig,
	requestState?: string,
	{ name = 'pay', args, sub = 'ann', method = 'tools/call' }: Change = {},
) {
	const params = {
		name,
		arguments: args ?? { amount: 5, to: 'bob' },
		...(requestState !== undefined && { requestState }),
	};
	const answer = await ask(rig, statelessMessage(method, params), { authorization: sub });
	return { status: answer.status, ...(await answer.json()) };
}

async function sealedBy(rig: Rig, change?: Change): Promise<string> {
	const { result } = await pay(rig, undefined, change);
	expect(result.resultType).toBe('input_required');
	return result.requestState;
}

const invalid = { status: 200, error: { code: -32602, data: { reason: 'invalid_request_state' } } };

describe.each(doors)('requestState, through $name', (door) => {
	it('is opened by every node; a client sees nothing of it, and may write its request anew', async () => {
		const { a, b } = await openNodes(door);
		const state = await sealedBy(a);
		expect(Buffer.from(state, 'base64url').toString()).not.toContain('secret');
		expect(textOf(await pay(b, state, { args: { to: 'bob', amount: 5 } }))).toBe('secret of pay 5');
	});

	it('has a key that the nodes share through the store, where none is given', async () => {
		const { a, b, clock, info } = await openNodes(door, [undefined, undefined]);
		const states = await Promise.all([a, b].map((node) => sealedBy(node)));
		expect(states[0]?.split('.')[0]).toBe(states[1]?.split('.')[0]);
		expect(Buffer.from(states[0] ?? '', 'base64url').toString()).not.toContain('secret');
		expect(textOf(await pay(b, states[0]))).toBe('secret of pay 5');
		expect(textOf(await pay(a, states[1]))).toBe('secret of pay 5');
		expect(await pay(b, states[0])).toMatchObject(invalid);
		expect(info.stats()).toMatchObject({ sessions: 0, records: 1 });
		// It lives for as long as it is used, and a store that has lost it gets it again.
		clock.advance(29 * 24 * 60 * MINUTE);
		await sealedBy(a);
		clock.advance(2 * 24 * 60 * MINUTE);
		expect(textOf(await pay(b, await sealedBy(a)))).toBe('secret of pay 5');
		info.delete('secret request-state');
		const c = await openNodes(door, [undefined], undefined, clock, info);
		const made = await sealedBy(c.a);
		expect(made.split('.')[0]).not.toBe(states[0]?.split('.')[0]);
		clock.advance(2_000);
		expect(textOf(await pay(a, made))).toBe('secret of pay 5');
		expect((await sealedBy(a)).split('.')[0]).toBe(made.split('.')[0]);
	});

	it('has its shared key also where strangers have taken all that they may of the store', async () => {
		const clock = new ManualClock(1_000_000);
		const info = new Info({ clock, maxSessions: 4 });
		const record = { kind: 'handle', initializeParams: {}, serverCapabilities: {}, createdAt: 0, lastUsedAt: 0 };
		for (const id of ['a', 'b', 'c']) info.create({ ...record, id, protocolVersion: '2026-07-28' });
		expect(() => info.create({ ...record, id: 'd', protocolVersion: '2026-07-28' })).toThrow('already holds 3');
		const { a } = await openNodes(door, [undefined], undefined, clock, info);
		expect(textOf(await pay(a, await sealedBy(a)))).toBe('secret of pay 5');
	});

	it('that cannot be sealed because the store is away is an error, and no state in clear', async () => {
		const { a, info } = await openNodes(door, [undefined]);
		const { readState } = info;
		info.readState = () => {
			throw new SessionManagerError('unavailable', 'The store is away.');
		};
		expect(await pay(a)).toMatchObject({ status: 503, error: { code: -32000 } });
		expect(a.errors.splice(0)).toHaveLength(1);
		info.readState = readState;
		expect(textOf(await pay(a, await sealedBy(a)))).toBe('secret of pay 5');
	});

	it.each([
		['an object', { role: 'admin' }, [['role', 'admin']]],
		['an object of nothing', {}, []],
		['a list', [['role', 'admin']], { role: 'admin' }],
	])('is not valid for another kind of value than %s', async (_kind, filter, other) => {
		const { a, b } = await openNodes(door);
		const args = { amount: 5, filter };
		const state = await sealedBy(a, { args });
		expect(await pay(b, state, { args: { amount: 5, filter: other } })).toMatchObject(invalid);
		expect(textOf(await pay(b, state, { args }))).toBe('secret of pay 5');
	});

	it.each<[string, Change]>([
		['another principal', { sub: 'eve' }],
		['another tool', { name: 'refund' }],
		['other arguments', { args: { amount: 500, to: 'bob' } }],
		['fewer arguments', { args: { amount: 5 } }],
		['another method', { method: 'prompts/get' }],
	])('is worth nothing to %s, on any node, and is not used up by the attempt', async (_who, change) => {
		const { a, b } = await openNodes(door);
		const state = await sealedBy(a);
		for (const node of [a, b]) expect(await pay(node, state, change)).toMatchObject(invalid);
		expect(textOf(await pay(b, state))).toBe('secret of pay 5');
	});

	it('is worth nothing once it was changed, in any byte, or cut off', async () => {
		const { a } = await openNodes(door);
		const state = await sealedBy(a);
		const other = await sealedBy(a);
		const [id = '', body = ''] = state.split('.');
		const forged = [
			...[0, 5, 20, 40, body.length - 1].map((at) => {
				const flipped = body[at] === 'A' ? 'B' : 'A';
				return `${id}.${body.slice(0, at)}${flipped}${body.slice(at + 1)}`;
			}),
			...[0, 1, 10, 20, 39, body.length - 1].map((length) => `${id}.${body.slice(0, length)}`),
			`${id}.${body}=`,
			`${id}.${body}.${body}`,
			`${id}.${other.split('.')[1]?.slice(0, 16)}${body.slice(16)}`,
			`${state} `,
			body,
			id,
			'',
			'secret of pay 5',
		];
		for (const text of forged) expect([text, await pay(a, text)]).toMatchObject([text, invalid]);
		expect(textOf(await pay(a, state))).toBe('secret of pay 5');
	});

	it('is worth nothing under the id of another key', async () => {
		const { a, b } = await openNodes(door, [
			[first, second],
			[second, first],
		]);
		const [one = '', other = ''] = [await sealedBy(a), await sealedBy(b)];
		const [id, body] = [other.split('.')[0], one.split('.')[1]];
		expect(id).not.toBe(one.split('.')[0]);
		expect(await pay(a, `${id}.${body}`)).toMatchObject(invalid);
		expect(await pay(a, `AAAAAAAA.${body}`)).toMatchObject(invalid);
	});

	it('is worth nothing after its time', async () => {
		const { a, b, clock } = await openNodes(door, undefined, 5 * MINUTE);
		const [early, late] = [await sealedBy(a), await sealedBy(a)];
		clock.advance(5 * MINUTE - 1);
		expect(textOf(await pay(b, early))).toBe('secret of pay 5');
		clock.advance(1);
		expect(await pay(b, late)).toMatchObject(invalid);
	});

	it('is used once: of 100 that race for it on two nodes, one wins, and nobody after it', async () => {
		const { a, b } = await openNodes(door);
		const state = await sealedBy(a);
		const results = await Promise.all(Array.from({ length: 100 }, (_, n) => pay(n % 2 === 0 ? a : b, state)));
		expect(results.filter(({ result }) => result !== undefined)).toHaveLength(1);
		expect(results.filter(({ error }) => error?.data?.reason === 'invalid_request_state')).toHaveLength(99);
		for (const node of [a, b]) expect(await pay(node, state)).toMatchObject(invalid);
	});

	it('keys change one node at a time, and no request fails', async () => {
		const clock = new ManualClock(1_000_000);
		const shared = {
			clock,
			sessionManager: { info: new Info({ clock }), streams: new InMemoryStreamSessionManager({ clock }) },
		};
		const nodeWith = (...keys: string[]) =>
			Rig.open(door, { ...shared, createServer: asking, stateless: { requestState: { keys } } });
		const old = await nodeWith(first);
		const ready = await nodeWith(first, second);
		const turned = await nodeWith(second, first);
		const done = await nodeWith(second);
		const open = async (from: Rig, to: Rig) => (await pay(to, await sealedBy(from))).result?.content?.[0]?.text;
		for (const [one, other] of [
			[old, ready],
			[ready, turned],
			[turned, done],
		] as const) {
			expect(await open(one, other)).toBe('secret of pay 5');
			expect(await open(other, one)).toBe('secret of pay 5');
		}
	});

	it('is refused with 503 while the store cannot tell whether it was used, and is good afterwards', async () => {
		const { a, info } = await openNodes(door);
		const state = await sealedBy(a);
		info.isDown = true;
		expect((await pay(a, state)).status).toBe(503);
		info.isDown = false;
		expect(textOf(await pay(a, state))).toBe('secret of pay 5');
	});

	it('is passed on as the server made it without the option', async () => {
		const rig = await Rig.open(door, { createServer: asking, stateless: {} });
		expect(await sealedBy(rig)).toBe('secret of pay 5');
		expect(textOf(await pay(rig, 'anything'))).toBe('anything');
	});
});

it('keys that are too short, or none, are refused at once', () => {
	for (const keys of [[], ['short'], [first, 'short'], [new Uint8Array(31)]])
		expect(() => new HttpTransport(asking, { stateless: { requestState: { keys } } })).toThrow(TypeError);
	expect(
		() => new HttpTransport(asking, { stateless: { requestState: { keys: [new Uint8Array(32)] } } }),
	).not.toThrow();
});
