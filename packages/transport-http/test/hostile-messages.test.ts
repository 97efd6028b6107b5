import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertEvery } from '../../../test/hostile/assert-every.ts';
import { AskedSession } from '../../../test/hostile/messages/asked-session.ts';
import { HostileClient } from '../../../test/hostile/messages/hostile-client.ts';
import { hostileRequest } from '../../../test/hostile/messages/mcp-exchange.ts';
import { nothingHeld, ServerProcess } from '../../../test/hostile/server-process.ts';

const ROUNDS = 60;
const PER_ROUND = 16;
const CLIENTS = 8;
/** What the heap may have grown by after all of them; a leak of 2 KiB for each would be more. */
const MAX_GROWTH_BYTES = 1.8 * 1024 * 1024;

describe.each(['v1', 'v2'] as const)('with a server of SDK %s', (sdk) => {
	let server: ServerProcess;

	beforeAll(async () => {
		server = await ServerProcess.start(sdk);
	});

	afterAll(() => server.stop());

	test.each(['handle', 'respond'] as const)(
		`${ROUNDS * PER_ROUND} requests through %s, each right or a little wrong, get the answer that is due, and leave nothing behind`,
		async (door) => {
			const agent = new Agent({ keepAlive: true });
			const asked = await AskedSession.open(server.ports[door]);
			const clients: HostileClient[] = [];
			for (let n = 0; n < CLIENTS; n++) {
				const revision = n % 2 === 0 ? '2025-11-25' : '2025-03-26';
				clients.push(await HostileClient.open(agent, server.ports[door], revision, asked.wireId));
			}
			const bombard = (seed: number, rounds: number) =>
				assertEvery(
					hostileRequest,
					{ seed, rounds, perRound: PER_ROUND },
					async (request, index) => clients[index % CLIENTS]?.try(request),
					async () => {
						expect(server.trouble).toBeUndefined();
						await asked.session.expectWell();
					},
				);
			await bombard(11, 20);
			const before = await server.heap();

			await bombard(12, ROUNDS);

			expect((await server.heap()) - before).toBeLessThan(MAX_GROWTH_BYTES);
			// Whoever guessed the id of the question to another session did not answer it.
			expect(await asked.answerWith('mine')).toContain('mine');
			await asked.session.end();
			for (const client of clients) await client.end();
			agent.destroy();
			expect(await server.settled(nothingHeld)).toEqual(nothingHeld);
			expect((await server.stats()).reported).toEqual([]);
			expect(server.trouble).toBeUndefined();
		},
		60_000,
	);
});
