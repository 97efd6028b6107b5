import type { NodeProcess } from '@holdfast/local-cluster';
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import type { WireResponse } from '../../../../../test/support/clients/wire-response.ts';
import { everyCapability, structured, WireSession } from './wire-session.ts';

const secret = 'a secret that every node shares, and no client';
/** What the servers under attack are started with. */
export const attackedFlags = ['--auth', 'jwt', '--jwt-secret', secret, '--max-sessions-per-principal', '0'];

const alice = { iss: 'https://issuer.example', sub: 'alice' };
const now = Math.floor(Date.now() / 1000);

interface Claims {
	readonly iss: string;
	readonly sub: string;
	readonly exp?: number;
	readonly nbf?: number;
}

function sign(claims: Claims, key = secret, alg = 'HS256'): Promise<string> {
	const payload = { exp: now + 3_600, ...claims };
	return new SignJWT(payload).setProtectedHeader({ alg }).sign(new TextEncoder().encode(key));
}

function unsigned(claims: Claims): string {
	const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
	return `${part({ alg: 'none' })}.${part({ exp: now + 3_600, ...claims })}.`;
}

/** Who tries to use a session of alice's, and the status that each verb answers. */
const strangers: readonly (readonly [string, number, () => Promise<string | undefined>])[] = [
	['nobody', 401, async () => undefined],
	['somebody with a token that has expired', 401, () => sign({ ...alice, exp: now - 3_600 })],
	['somebody with a token that is not valid yet', 401, () => sign({ ...alice, nbf: now + 3_600 })],
	['somebody with a token that nobody signed', 401, async () => unsigned(alice)],
	[
		'somebody with a signed token whose signature was cut off',
		401,
		async () => `${(await sign(alice)).split('.', 2).join('.')}.`,
	],
	[
		'somebody with a token that was signed with another secret',
		401,
		() => sign(alice, 'another secret, just as long as that'),
	],
	['somebody with a token of another algorithm', 401, () => sign(alice, secret, 'HS384')],
	['another person', 403, () => sign({ ...alice, sub: 'bob' })],
	['the same name of another issuer', 403, () => sign({ ...alice, iss: 'https://other.example' })],
	['a name that looks the same', 403, () => sign({ ...alice, sub: 'alicе' })],
	['an issuer that ends where the name begins', 403, () => sign({ iss: 'https://issuer.example alice', sub: ' ' })],
];

/** Every verb, sent to `node` by a session of whoever it is. */
function everyVerb(
	node: NodeProcess,
	session: WireSession,
	question: { id?: string | number | null },
	eventIds: string[],
) {
	return Promise.all([
		session.request(node, 'ping'),
		session.call(node, 'end_session'),
		session.request(node, 'session/terminate'),
		session.post(node, { method: 'session/terminate' }),
		session.post(node, { method: 'notifications/cancelled', params: { requestId: 1 } }),
		session.answer(node, question, { action: 'accept', content: { answer: 'stolen' } }),
		session.stream(node),
		...eventIds.map((eventId) => session.stream(node, eventId)),
		session.end(node),
	]);
}

function statusesOf(answers: readonly WireResponse[]): number[] {
	return answers.map(({ status }) => status);
}

/**
 * What must be refused on every node, wherever sessions are kept. The servers were started with {@link attackedFlags}.
 */
export function describeAttacks(nodes: () => readonly NodeProcess[]): void {
	const node = (index: number) => {
		const found = nodes()[index % nodes().length];
		if (found === undefined) throw new Error('There are no nodes.');
		return found;
	};

	/** A session of alice's with an open stream, a running call, and a question that waits for her. */
	async function openVictim() {
		const victim = await WireSession.open(node(0), everyCapability, await sign(alice));
		const stream = await victim.open(node(1));
		await victim.result(node(0), 'log_session', { count: 1 });
		await stream.message(0);
		const call = await victim.call(node(0), 'ask', { message: 'Yours?' });
		const question = await call.find(({ method }) => method === 'elicitation/create');
		return { victim, stream, call, question, eventIds: [stream.lastEventId ?? '', call.lastEventId ?? ''] };
	}

	describe('a session of somebody', () => {
		test.each(strangers)('is closed to %s: %i on every node with every verb', async (_, status, token) => {
			const { victim, stream, call, question, eventIds } = await openVictim();
			const attacker = new WireSession(victim.id, await token());
			for (const each of nodes()) {
				const answers = await everyVerb(each, attacker, question, eventIds);
				expect(statusesOf(answers)).toEqual(answers.map(() => status));
				for (const answer of answers) {
					expect(answer.headers.has('www-authenticate')).toBe(status === 401);
					expect(answer.received).not.toContain(victim.id);
				}
			}
			await victim.answer(node(2), question, { action: 'decline' });
			expect(structured(await call.answer())).toMatchObject({ action: 'decline' });
			expect(stream.over).toBe(false);
		});

		test.each([0, 1, 2])('goes on with a refreshed token, and knows whose it is (node %i)', async (index) => {
			const session = await WireSession.open(node(0), {}, await sign(alice));
			const refreshed = new WireSession(session.id, await sign({ ...alice, exp: now + 3_660 }));
			expect(await refreshed.info(node(index))).toMatchObject({
				principal: 'https://issuer.example alice',
				status: 'active',
			});
		});

		test('that has ended is 404 with every verb on every node, for its owner too', async () => {
			const { victim, stream, call, question, eventIds } = await openVictim();
			await victim.end(node(2));
			await stream.ended();
			await call.ended();
			for (const each of nodes()) {
				const answers = await everyVerb(each, victim, question, eventIds);
				expect(statusesOf(answers)).toEqual(answers.map(() => 404));
			}
		});
	});

	test('a guessed id is 404 with every verb on every node, whatever it looks like', async () => {
		const { victim, question, eventIds } = await openVictim();
		const { id } = victim;
		const guesses = [
			'x',
			`${id}x`,
			id.slice(0, -1),
			id.toLowerCase(),
			`${id},${id}`,
			'*',
			'__proto__',
			'a'.repeat(256),
		];
		for (const guess of guesses.filter((text) => text !== id)) {
			const answers = await everyVerb(node(1), new WireSession(guess, await sign(alice)), question, eventIds);
			expect([guess, ...statusesOf(answers)]).toEqual([guess, ...answers.map(() => 404)]);
		}
		expect(await victim.ping(node(2))).toBe(200);
	});

	test('an id that a client chose is never accepted, and what ended does not come back under its id', async () => {
		const token = await sign(alice);
		const ended = await WireSession.open(node(0), {}, token);
		await ended.end(node(0));
		const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'fixed', version: '1' } };
		for (const id of ['chosen-by-the-attacker', ended.id]) {
			for (const each of nodes()) {
				const answer = await new WireSession(id, token).request(each, 'initialize', params);
				expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([404, null]);
				expect(await new WireSession(id, token).ping(each)).toBe(404);
			}
		}
		const fresh = await WireSession.open(node(0), {}, token);
		expect(fresh.id).not.toBe(ended.id);
	});

	test('a session is not opened without a token, nor with one that does not count', async () => {
		for (const each of nodes()) {
			await expect(WireSession.open(each)).rejects.toThrow(/401/);
			await expect(WireSession.open(each, {}, unsigned(alice))).rejects.toThrow(/401/);
			await expect(WireSession.open(each, {}, await sign(alice, secret, 'HS512'))).rejects.toThrow(/401/);
		}
	});

	test('nothing that a node writes names a session or a token', async () => {
		const token = await sign(alice);
		const session = await WireSession.open(node(0), {}, token);
		await session.call(node(1), 'no_such_tool');
		await new WireSession(session.id, await sign({ ...alice, sub: 'mallory' })).ping(node(0));
		await session.end(node(2));
		for (const { output } of nodes()) {
			for (const hidden of [session.id, token, secret]) expect(output).not.toContain(hidden);
		}
	});
}
