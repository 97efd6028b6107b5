import { systemClock } from '@holdfast/session-manager/custom';
import { describe, expect, it } from 'vitest';
import { describeOfficialClients } from '../../../test/support/clients/client-cases.ts';
import { connectOfficial, pairs } from '../../../test/support/clients/official-client.ts';
import { handleDoor } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { SseRig } from './support/sse-rig.ts';

describeOfficialClients('sse', async (sdk, tools) => {
	const { door, transport, errors } = await SseRig.open(handleDoor, { sdk, clock: systemClock, tools });
	return { origin: door.origin, transport, errors };
});

describe.each(pairs)('the official client $client with a server of $server.name', ({ client: clientSdk, server }) => {
	it('leaves nothing behind when it closes', async () => {
		const { door, transport, errors } = await SseRig.open(handleDoor, {
			sdk: server,
			clock: systemClock,
			graceMs: 1_000,
		});
		const client = await connectOfficial(clientSdk, door.origin, {}, 'sse');
		expect(await client.call('echo', { text: 'x' })).toBe('x');
		await client.close();
		await eventually(() => transport.stats()).toEqual({
			sessions: 0,
			liveServers: 0,
			requestsInFlight: 0,
			requestsWaiting: 0,
			connections: 0,
			bodyBytes: 0,
		});
		expect(errors).toEqual([]);
	});
});
