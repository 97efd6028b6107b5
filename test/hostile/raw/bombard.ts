import { expect } from 'vitest';
import { assertEvery } from '../assert-every.ts';
import { checkBody } from '../check-response.ts';
import { nothingHeld, type ServerProcess } from '../server-process.ts';
import { type RawCase, rawCase } from './raw-cases.ts';
import { sendRaw } from './raw-client.ts';

const ROUNDS = 200;
/** Connections that are open at the same time. */
const PER_ROUND = 20;
/** How many connections {@link bombard} counts. */
export const CONNECTIONS = ROUNDS * PER_ROUND;
/** What the heap may have grown by after all of them; a leak of 1 KiB for each would be more. */
const MAX_GROWTH_BYTES = 3 * 1024 * 1024;

/** A session that malformed requests are sent in, while its client does everything right. */
export interface Target {
	/** Writes a case so that it is meant for this session. */
	aim(wire: string): string;
	/** What may be answered in place of a status of Streamable HTTP. */
	statuses(status: number): readonly number[];
	/** The session is served as ever. */
	expectWell(): Promise<void>;
	end(): Promise<void>;
}

/** Throws malformed HTTP at a server: each connection gets a defined response, and nothing is left behind. */
export async function bombard(server: ServerProcess, target: Target, rounds = ROUNDS): Promise<void> {
	const throwAll = (seed: number, rounds: number) =>
		assertEvery(
			rawCase,
			{ seed, rounds, perRound: PER_ROUND },
			(one) => throwOne(server, target, one),
			async () => {
				expect(server.trouble).toBeUndefined();
				await target.expectWell();
			},
		);
	await throwAll(1, 20);
	const before = await server.heap();

	await throwAll(2, rounds);

	expect((await server.heap()) - before).toBeLessThan(MAX_GROWTH_BYTES);
	await target.end();
	expect(await server.settled({ ...nothingHeld, sockets: 0 })).toEqual({ ...nothingHeld, sockets: 0 });
	const { reported } = await server.stats();
	expect(reported.filter((error) => !error.startsWith('RangeError: Maximum call stack'))).toEqual([]);
	expect(server.trouble).toBeUndefined();
}

async function throwOne(server: ServerProcess, target: Target, one: RawCase): Promise<void> {
	const { wire, ending, statuses, maybeSilent = false } = one;
	const bytes = Buffer.from(target.aim(wire), 'latin1');
	const { answers, rest, hung } = await sendRaw(server.ports.handle, bytes, ending);
	expect(hung, `The server left its client waiting, after ${JSON.stringify({ answers, rest })}`).toBe(false);
	if (!maybeSilent) expect(answers).toHaveLength(typeof ending === 'object' ? ending.answers : 1);
	answers.forEach(({ status, headers, body }, index) => {
		const expected = statuses[index % statuses.length] ?? [];
		expect(expected.flatMap((each) => target.statuses(each))).toContain(status);
		checkBody(status, headers.get('content-type'), body);
	});
}
