import { afterAll, beforeAll, expect, test } from 'vitest';
import { assertEvery } from './hostile/assert-every.ts';
import { checkBody } from './hostile/check-answer.ts';
import { HealthySession } from './hostile/healthy-session.ts';
import { type RawCase, rawCase } from './hostile/raw-cases.ts';
import { type Outcome, sendRaw } from './hostile/raw-client.ts';
import { nothingHeld, ServerProcess } from './hostile/server-process.ts';

const ROUNDS = 200;
/** Connections that are open at the same time. */
const PER_ROUND = 20;
/** What the heap may have grown by after all of them; a leak of 1 KiB for each would be more. */
const MAX_GROWTH_BYTES = 3 * 1024 * 1024;

let server: ServerProcess;

beforeAll(async () => {
	server = await ServerProcess.start('v1');
});

afterAll(() => server.stop());

test(`${ROUNDS * PER_ROUND} connections with malformed HTTP each get a defined answer, and leave nothing behind`, async () => {
	const healthy = await HealthySession.open(server.ports.handle);
	const bombard = (seed: number, rounds: number) => {
		const throwOne = async (one: RawCase) => check(one, await send(one, healthy.id));
		return assertEvery(rawCase, { seed, rounds, perRound: PER_ROUND }, throwOne, async () => {
			expect(server.trouble).toBeUndefined();
			await healthy.expectWell();
		});
	};
	await bombard(1, 20);
	const before = await server.heap();

	await bombard(2, ROUNDS);

	expect((await server.heap()) - before).toBeLessThan(MAX_GROWTH_BYTES);
	await healthy.end();
	expect(await server.settled({ ...nothingHeld, sockets: 0 })).toEqual({ ...nothingHeld, sockets: 0 });
	const { reported } = await server.stats();
	expect(reported.filter((error) => !error.startsWith('RangeError: Maximum call stack'))).toEqual([]);
	expect(server.trouble).toBeUndefined();
}, 60_000);

function send({ wire, ending }: RawCase, sessionId: string): Promise<Outcome> {
	return sendRaw(server.ports.handle, Buffer.from(wire.replaceAll('$SESSION', sessionId), 'latin1'), ending);
}

function check({ ending, statuses, maybeSilent = false }: RawCase, { answers, rest, hung }: Outcome): void {
	expect(hung, `The server left its client waiting, after ${JSON.stringify({ answers, rest })}`).toBe(false);
	if (!maybeSilent) expect(answers).toHaveLength(typeof ending === 'object' ? ending.answers : 1);
	answers.forEach(({ status, headers, body }, index) => {
		expect(statuses[index % statuses.length]).toContain(status);
		checkBody(status, headers.get('content-type'), body);
	});
}
