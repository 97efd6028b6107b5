import { expect, test } from 'vitest';
import { assertEvery } from '../../../test/hostile/assert-every.ts';
import { checkBody } from '../../../test/hostile/check-response.ts';
import { kindOf } from '../../../test/hostile/messages/mcp-exchange.ts';
import { type JsonValue, mcpBody } from '../../../test/hostile/messages/mcp-messages.ts';
import type { SseClient } from '../../../test/support/clients/sse-client.ts';
import { handleDoor } from '../../../test/support/doors.ts';
import { type Sdk, v1McpServer, v2McpServer } from '../../../test/support/servers.ts';
import { SseRig } from './support/sse-rig.ts';

const ROUNDS = 150;
const PER_ROUND = 10;

test.each([v1McpServer, v2McpServer])(
	'whatever clients send to a $name, each POST has a defined status, and each request that was taken is answered once',
	{ timeout: 60_000 },
	async (sdk: Sdk) => {
		const rig = await SseRig.open(handleDoor, { sdk });
		const healthy = await rig.session();
		const clients = await Promise.all(Array.from({ length: PER_ROUND }, () => rig.session()));
		const answered = clients.map(() => 1);
		await assertEvery(
			mcpBody,
			{ seed: 5, rounds: ROUNDS, perRound: PER_ROUND },
			async (body, index) => {
				const client = clients[index];
				if (client === undefined) throw new Error('There are as many clients as cases.');
				if (await isAnswered(client, body)) answered[index] = (answered[index] ?? 0) + 1;
				expect(answersOn(client)).toBe(answered[index]);
			},
			async () => {
				expect(await healthy.ask('echo', { text: 'well' })).toBe('well');
				expect(clients.map(({ stream }) => stream.over)).not.toContain(true);
			},
		);
		expect(rig.transport.stats()).toMatchObject({ sessions: PER_ROUND + 1, requestsInFlight: 0, requestsWaiting: 0 });
		expect(rig.errors.filter(({ message }) => !message.includes('call stack'))).toEqual([]);
	},
);

/** Sends the body, checks the status, and answers whether it is a request that was answered on the stream. */
async function isAnswered(client: SseClient, body: JsonValue): Promise<boolean> {
	const before = answersOn(client);
	const taken = await client.post(body);
	checkBody(taken.status, taken.headers.get('content-type') ?? undefined, await taken.text());
	const kind = kindOf(body);
	if (kind !== 'request') {
		expect(taken.status).toBe(kind === 'none' ? 400 : 202);
		return false;
	}
	const { id, method } = body as { id: JsonValue; method: string };
	// It is initialized already.
	expect(taken.status).toBe(method === 'initialize' ? 400 : 202);
	if (taken.status === 400) return false;
	await expect.poll(() => answersOn(client), { interval: 1, timeout: 5_000 }).toBe(before + 1);
	expect(client.messages.findLast((message) => message.method === undefined)?.id).toBe(id);
	return true;
}

function answersOn(client: SseClient): number {
	return client.messages.filter(({ method }) => method === undefined).length;
}
