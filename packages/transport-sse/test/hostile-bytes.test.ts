import { afterAll, beforeAll, expect, test } from 'vitest';
import { bombard, CONNECTIONS } from '../../../test/hostile/raw/bombard.ts';
import { ServerProcess } from '../../../test/hostile/server-process.ts';
import { openSseSession } from '../../../test/support/clients/sse-over-http.ts';

let server: ServerProcess;

beforeAll(async () => {
	server = await ServerProcess.start('v1', new URL('../../../test/hostile/sse-server.mjs', import.meta.url));
});

afterAll(() => server.stop());

test(`${CONNECTIONS} connections with malformed HTTP each get a defined response, and leave nothing behind`, async () => {
	const healthy = await openSseSession({ port: server.ports.handle });
	let pings = 0;
	await bombard(server, {
		aim: (wire) => wire.replaceAll('/mcp', healthy.endpoint),
		// Answers go on the stream, and there is no DELETE.
		statuses: (status) => ({ 200: [202], 404: [404, 405] })[status] ?? [status],
		async expectWell() {
			const id = `ping ${++pings}`;
			expect((await healthy.post({ jsonrpc: '2.0', id, method: 'ping' })).status).toBe(202);
			const lastAnswered = () => healthy.messages.findLast(({ method }) => method === undefined)?.id;
			await expect.poll(lastAnswered, { interval: 1, timeout: 5_000 }).toBe(id);
		},
		async end() {
			expect(healthy.stream.over).toBe(false);
			healthy.stream.drop();
		},
	});
}, 60_000);
