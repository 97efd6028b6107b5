import { Agent } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assertEvery } from '../../../../test/hostile/assert-every.ts';
import { checkBody } from '../../../../test/hostile/check-response.ts';
import { type StatelessRequest, statelessRequest } from '../../../../test/hostile/messages/stateless-exchange.ts';
import { bombard } from '../../../../test/hostile/raw/bombard.ts';
import { nothingHeld, ServerProcess } from '../../../../test/hostile/server-process.ts';
import { within } from '../../../../test/support/deadline.ts';
import { sendOverHttp } from '../../../../test/support/doors.ts';
import { envelope, statelessHeaders, statelessMessage } from '../../../../test/support/stateless-request.ts';

const ROUNDS = 30;
const PER_ROUND = 20;
/** What the heap may have grown by after all of them; a leak of 2 KiB for each would be more. */
const MAX_GROWTH_BYTES = 1.9 * 1024 * 1024;
const RAW_ROUNDS = 40;
/** Beside the node's own, the listeners of a node that listen streams were opened on. */
const listening = { ...nothingHeld.streams, streams: 1, listeners: 3, sessions: 1 };

let server: ServerProcess;
const agent = new Agent({ keepAlive: true });

beforeAll(async () => {
	server = await ServerProcess.start('v2', new URL('../../../../test/hostile/stateless-server.mjs', import.meta.url));
});

afterAll(async () => {
	agent.destroy();
	await server.stop();
});

/** A client of this era is served as ever. */
async function expectWell(): Promise<void> {
	const message = statelessMessage('tools/call', { name: 'echo', arguments: { text: 'well' } });
	const request = { headers: statelessHeaders(message), body: JSON.stringify(message) };
	const answer = await within(sendOverHttp(agent, server.ports.handle, request), 'a healthy response');
	expect((await answer.answer()).result.content[0].text).toBe('well');
}

test(`${RAW_ROUNDS * 20} connections with malformed HTTP of this era each get a defined response, and leave nothing behind`, async () => {
	await bombard(
		server,
		{
			aim: asStateless,
			// What a session would have answered, this era does not know, or wants said in its own headers.
			statuses: (status) => ({ 200: [200, 400, 404], 202: [202, 400] })[status] ?? [status],
			expectWell,
			end: async () => agent.destroy(),
		},
		RAW_ROUNDS,
	);
}, 60_000);

test.each(['handle', 'respond'] as const)(
	`${ROUNDS * PER_ROUND} requests of this era through %s, each right or a little wrong, get a defined response, and leave nothing behind`,
	async (door) => {
		const send = (seed: number, rounds: number) =>
			assertEvery(
				statelessRequest,
				{ seed, rounds, perRound: PER_ROUND },
				(request) => tryOne(server.ports[door], request),
				async () => {
					expect(server.trouble).toBeUndefined();
					await expectWell();
				},
			);
		await send(21, 20);
		const before = await server.heap();
		await send(22, ROUNDS);
		expect((await server.heap()) - before).toBeLessThan(MAX_GROWTH_BYTES);
		const left = { ...nothingHeld, streams: listening };
		expect(await server.settled(left)).toEqual(left);
		expect((await server.stats()).reported).toEqual([]);
		expect(server.trouble).toBeUndefined();
	},
	60_000,
);

async function tryOne(port: number, { headers, message }: StatelessRequest): Promise<void> {
	const sent = sendOverHttp(agent, port, { headers, body: JSON.stringify(message) });
	const answer = await within(sent, 'the head of a response');
	expect([200, 202, 400, 403, 404, 406, 415]).toContain(answer.status);
	const isCall = typeof message === 'object' && message !== null && !Array.isArray(message);
	const id = isCall ? message['id'] : undefined;
	if (answer.isStream && isCall && message['method'] === 'subscriptions/listen') {
		const first = await answer.message(0);
		expect(first.method).toBe('notifications/subscriptions/acknowledged');
		expect(first.params._meta['io.modelcontextprotocol/subscriptionId']).toBe(id);
		return answer.drop();
	}
	const body = await answer.text();
	checkBody(answer.status, answer.headers.get('content-type') ?? '', body);
	if (answer.status === 202) return expect(body).toBe('');
	const response = answer.isStream ? await answer.answer() : JSON.parse(body);
	expect([id, null]).toContainEqual(response.id);
	if (answer.status !== 200) expect(response.error.code).toBeLessThan(0);
}

/** Puts headers and `_meta` of this era into each whole request of `wire`, which is HTTP or something like it. */
function asStateless(wire: string): string {
	const headed = wire.replaceAll(
		'Mcp-Session-Id: $SESSION\r\nMCP-Protocol-Version: 2025-11-25\r\n',
		'MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n',
	);
	let aimed = '';
	let rest = headed;
	for (;;) {
		const found = /Content-Length: (\d+)\r\n\r\n/.exec(rest);
		if (found === null) return aimed + rest;
		const bodyAt = found.index + found[0].length;
		const body = rest.slice(bodyAt, bodyAt + Number(found[1]));
		const claimed = body.replace('"params":{', `"params":{"_meta":${JSON.stringify(envelope())},`);
		aimed += `${rest.slice(0, found.index)}Content-Length: ${claimed.length}\r\n\r\n${claimed}`;
		rest = rest.slice(bodyAt + body.length);
		if (body.length < Number(found[1])) return aimed + rest;
	}
}
