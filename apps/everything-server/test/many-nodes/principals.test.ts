import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { letters, useCluster } from './support/cluster.ts';
import { everyCapability, structured, WireSession } from './support/wire-session.ts';

const secret = 'a secret that every node shares, and no client';
const cluster = useCluster({ flags: ['--auth', 'jwt', '--jwt-secret', secret] });

const alice = { iss: 'https://issuer.example', sub: 'alice' };
const hourAhead = Math.floor(Date.now() / 1000) + 3_600;

interface Claims {
	readonly iss: string;
	readonly sub: string;
	readonly exp?: number;
}

function sign(claims: Claims, key = secret, alg = 'HS256'): Promise<string> {
	const payload = { exp: hourAhead, ...claims };
	return new SignJWT(payload).setProtectedHeader({ alg }).sign(new TextEncoder().encode(key));
}

function unsigned(claims: Claims): string {
	const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
	return `${part({ alg: 'none' })}.${part({ exp: hourAhead, ...claims })}.`;
}

/** Who tries to use a session of alice's, and the status that each verb answers. */
const strangers: readonly (readonly [string, number, () => Promise<string | undefined>])[] = [
	['nobody', 401, async () => undefined],
	['somebody with a token that has expired', 401, () => sign({ ...alice, exp: hourAhead - 7_200 })],
	['somebody with a token that nobody signed', 401, async () => unsigned(alice)],
	[
		'somebody with a token that was signed with another secret',
		401,
		() => sign(alice, 'another secret, just as long as that'),
	],
	['somebody with a token of another algorithm', 401, () => sign(alice, secret, 'HS384')],
	['another person', 403, () => sign({ ...alice, sub: 'bob' })],
	['the same name of another issuer', 403, () => sign({ ...alice, iss: 'https://other.example' })],
];

describe('a session of somebody', () => {
	test.each(strangers)('is closed to %s: %i on every node with every verb', async (_, status, token) => {
		const victim = await WireSession.open(cluster.node(0), everyCapability, await sign(alice));
		const stream = await victim.open(cluster.node(1));
		await victim.result(cluster.node(0), 'log_session', { count: 1 });
		await stream.message(0);
		const call = await victim.call(cluster.node(0), 'ask', { message: 'Yours?' });
		const question = await call.find(({ method }) => method === 'elicitation/create');
		const attacker = new WireSession(victim.id, await token());
		for (const node of cluster.nodes) {
			const answers = await Promise.all([
				attacker.request(node, 'ping'),
				attacker.call(node, 'end_session'),
				attacker.post(node, { method: 'notifications/cancelled', params: { requestId: 1 } }),
				attacker.answer(node, question, { action: 'accept', content: { answer: 'stolen' } }),
				attacker.stream(node),
				attacker.stream(node, stream.lastEventId),
				attacker.stream(node, call.lastEventId),
				attacker.end(node),
			]);
			expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => status));
			for (const answer of answers) expect(answer.headers.has('www-authenticate')).toBe(status === 401);
		}
		await victim.answer(cluster.node(2), question, { action: 'decline' });
		expect(structured(await call.answer())).toMatchObject({ action: 'decline' });
		expect(stream.over).toBe(false);
	});

	test.each(letters)('goes on at %s with a refreshed token, and knows whose it is', async (letter) => {
		const session = await WireSession.open(cluster.node(0), {}, await sign(alice));
		const refreshed = new WireSession(session.id, await sign({ ...alice, exp: hourAhead + 60 }));
		expect(await refreshed.info(cluster.at(letter))).toMatchObject({ principal: 'https://issuer.example alice' });
	});

	test('is not opened without a token, nor with one that does not count', async () => {
		for (const node of cluster.nodes) {
			await expect(WireSession.open(node)).rejects.toThrow(/401/);
			await expect(WireSession.open(node, {}, unsigned(alice))).rejects.toThrow(/401/);
		}
	});
});
