import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { careless, unwritable } from '../../../test/hostile/careless-servers.ts';
import { AsynchronousInfo, LateResumableStreams } from '../../../test/support/custom-managers.ts';
import { Happening } from '../../../test/support/deadline.ts';
import { doors } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { initializeMessage } from '../../../test/support/rig.ts';
import { v1McpServer } from '../../../test/support/servers.ts';
import { SseRig } from './support/sse-rig.ts';

const ping = { jsonrpc: '2.0', id: 'p', method: 'ping' };

describe.each(doors)('through $name', (door) => {
	it.each(['v1', 'v2'] as const)(
		'a result that cannot be written as JSON is an error for its client, who does not wait for ever (SDK %s)',
		async (sdk) => {
			const rig = await SseRig.open(door, { createServer: careless[sdk] });
			const client = await rig.session();
			for (const what of Object.keys(unwritable)) {
				const { error } = await client.answerTo(await client.call('answer', { what }));
				expect(error?.code).toBe(-32603);
			}
			expect(rig.errors).toHaveLength(Object.keys(unwritable).length);
			for (const { message } of rig.errors)
				expect(message).toMatch(/^The result of tools\/call answer cannot be written as JSON: .+$/);
		},
	);

	/** A rig whose servers take their time once `slowly` is set. */
	async function openSlow() {
		const [made, go] = [new Happening('the making of a server'), new Happening('the go-ahead')];
		const control = { made, go, slowly: false };
		const rig = await SseRig.open(door, {
			async createServer(session) {
				if (control.slowly) {
					made.happen();
					await go.wait();
				}
				return v1McpServer.make({ tools: {} }, session);
			},
		});
		return { rig, control };
	}

	it('a session that ends while its server is made again leaves no server behind, and the call gets 404', async () => {
		const { rig, control } = await openSlow();
		const client = await rig.session();
		await rig.transport.release(client.id);
		control.slowly = true;
		const call = client.post(ping);
		await control.made.wait();
		await rig.transport.terminate(client.id, 'enough');
		control.go.happen();
		expect((await call).status).toBe(404);
		expect(rig.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0 });
		expect(rig.errors).toEqual([]);
	});

	it('a client that leaves while its server answers `initialize` leaves nothing behind', async () => {
		const { rig, control } = await openSlow();
		const client = await rig.open();
		control.slowly = true;
		const initialized = client.post(initializeMessage());
		await control.made.wait();
		client.stream.drop();
		await eventually(() => rig.transport.stats()).toMatchObject({ sessions: 0, connections: 0 });
		control.go.happen();
		expect((await initialized).status).toBe(404);
		await eventually(() => rig.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0, requestsInFlight: 0 });
	});

	it('a node that closes while a server is made leaves no server behind, and the client gets 503', async () => {
		const { rig, control } = await openSlow();
		const client = await rig.open();
		control.slowly = true;
		const initialized = client.post(initializeMessage());
		await control.made.wait();
		await rig.transport.close();
		control.go.happen();
		expect((await initialized).status).toBe(503);
		expect(rig.transport.stats()).toMatchObject({ sessions: 0, liveServers: 0 });
	});

	it('a node that closes while streams are opened leaves none open: they are refused with 503, or end', async () => {
		const clock = new ManualClock(1_000_000);
		const sessionManager = { streams: new LateResumableStreams(), info: new AsynchronousInfo(clock) };
		const rig = await SseRig.open(door, { clock, sessionManager });
		await rig.open();
		const opening = Array.from({ length: 10 }, () => rig.get());
		await eventually(() => rig.transport.stats().sessions).toBeGreaterThan(5);
		await rig.transport.close();
		for (const stream of await Promise.all(opening)) {
			expect([200, 503]).toContain(stream.status);
			await stream.ended();
		}
		expect(rig.transport.stats()).toMatchObject({ sessions: 0, connections: 0 });
		await eventually(() => sessionManager.streams.memory.stats().streams).toBe(0);
	});
});
