import { afterAll, beforeAll, expect, test } from 'vitest';
import { assertEvery } from '../../transport-http/test/hostile/assert-every.ts';
import { checkBody } from '../../transport-http/test/hostile/check-answer.ts';
import { type RawCase, rawCase } from '../../transport-http/test/hostile/raw-cases.ts';
import { type Outcome, sendRaw } from '../../transport-http/test/hostile/raw-client.ts';
import { nothingHeld, ServerProcess } from '../../transport-http/test/hostile/server-process.ts';
import type { SseClient } from './support/sse-client.ts';
import { openSseSession } from './support/sse-over-http.ts';

const ROUNDS = 200;
/** Connections that are open at the same time. */
const PER_ROUND = 20;
/** What the heap may have grown by after all of them; a leak of 1 KiB for each would be more. */
const MAX_GROWTH_BYTES = 3 * 1024 * 1024;

let server: ServerProcess;

beforeAll(async () => {
	server = await ServerProcess.start('v1', new URL('hostile/server.mjs', import.meta.url));
});

afterAll(() => server.stop());

test(`${ROUNDS * PER_ROUND} connections with malformed HTTP each get a defined answer, and leave nothing behind`, async () => {
	const healthy = await openSseSession({ port: server.ports.handle });
	const bombard = (seed: number, rounds: number) => {
		const throwOne = async (one: RawCase) => check(one, await send(one, healthy.endpoint));
		return assertEvery(rawCase, { seed, rounds, perRound: PER_ROUND }, throwOne, async () => {
			expect(server.trouble).toBeUndefined();
			await expectWell(healthy);
		});
	};
	await bombard(1, 20);
	const before = await server.heap();

	await bombard(2, ROUNDS);

	expect((await server.heap()) - before).toBeLessThan(MAX_GROWTH_BYTES);
	expect(healthy.stream.over).toBe(false);
	healthy.stream.drop();
	expect(await server.settled({ ...nothingHeld, sockets: 0 })).toEqual({ ...nothingHeld, sockets: 0 });
	const { reported } = await server.stats();
	expect(reported.filter((error) => !error.startsWith('RangeError: Maximum call stack'))).toEqual([]);
	expect(server.trouble).toBeUndefined();
}, 60_000);

/** What is thrown at the endpoint of Streamable HTTP, thrown at that of a session of ours. */
function send({ wire, ending }: RawCase, endpoint: string): Promise<Outcome> {
	return sendRaw(server.ports.handle, Buffer.from(wire.replaceAll('/mcp', endpoint), 'latin1'), ending);
}

function check({ ending, statuses, maybeSilent = false }: RawCase, { answers, rest, hung }: Outcome): void {
	expect(hung, `The server left its client waiting, after ${JSON.stringify({ answers, rest })}`).toBe(false);
	if (!maybeSilent) expect(answers).toHaveLength(typeof ending === 'object' ? ending.answers : 1);
	answers.forEach(({ status, headers, body }, index) => {
		expect((statuses[index % statuses.length] ?? []).flatMap(ours)).toContain(status);
		checkBody(status, headers.get('content-type'), body);
	});
}

/** What takes the place of a status of Streamable HTTP: answers go on the stream, and there is no DELETE. */
function ours(status: number): number[] {
	if (status === 200) return [202];
	return status === 404 ? [404, 405] : [status];
}

let pings = 0;

/** The session is served as ever. */
async function expectWell(client: SseClient): Promise<void> {
	const id = `ping ${++pings}`;
	expect((await client.post({ jsonrpc: '2.0', id, method: 'ping' })).status).toBe(202);
	const lastAnswered = () => client.messages.findLast(({ method }) => method === undefined)?.id;
	await expect.poll(lastAnswered, { interval: 1, timeout: 5_000 }).toBe(id);
}
