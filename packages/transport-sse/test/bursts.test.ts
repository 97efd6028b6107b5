import { systemClock } from '@holdfast/session-manager/custom';
import { describe, expect, it } from 'vitest';
import { connectOfficial, pairs } from '../../../test/support/clients/official-client.ts';
import { within } from '../../../test/support/deadline.ts';
import { handleDoor } from '../../../test/support/doors.ts';
import type { Peer } from '../../../test/support/servers.ts';
import { SseRig } from './support/sse-rig.ts';

const row = (n: number) => `row ${n} `.padEnd(100, 'x');
const rows = Array.from({ length: 8_000 }, (_, n) => row(n));
const large = ['x'.repeat(1.2 * 1024 * 1024)];

/** What a tool sends in one turn of the event loop before its result. */
const bursts = [
	{ what: '8,000 notifications, each awaited', texts: rows, awaits: true },
	{ what: '8,000 notifications, none awaited', texts: rows, awaits: false },
	{ what: 'a notification of 1.2 MiB', texts: large, awaits: true },
];

describe.each(pairs)('a burst of one turn of $server.name to the official client of $client', ({ client, server }) => {
	it.each(bursts)('arrives, and the result does: $what', async ({ texts, awaits }) => {
		const send = async (peer: Peer) => {
			for (const text of texts) {
				const sent = peer.log('info', text);
				if (awaits) await sent;
			}
			return 'done';
		};
		const { door, errors } = await SseRig.open(handleDoor, {
			sdk: server,
			clock: systemClock,
			tools: { burst: ({ here }) => send(here) },
		});
		const connected = await connectOfficial(client, door.origin, {}, 'sse');
		expect(await within(connected.call('burst'), 'the result', 30_000)).toBe('done');
		await connected.heard.count(texts.length, 'notification');
		expect(connected.heard.items.map(({ params }) => params?.['data'])).toEqual(texts);
		expect(errors).toEqual([]);
	});
});
