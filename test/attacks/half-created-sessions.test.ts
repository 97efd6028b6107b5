import {
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	SessionManagerError,
} from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { SseTransport } from '@holdfast/transport-sse';
import { describe, expect, it } from 'vitest';
import { doors, handleDoor } from '../support/doors.ts';
import { eventually } from '../support/eventually.ts';
import { Rig } from '../support/rig.ts';
import { variantOf } from '../support/thenables.ts';

const authenticate = () => ({ token: 't', clientId: 'app', scopes: [], extra: { sub: 'ada' } });

describe.each(doors)('through $name', (door) => {
	it('a session that the store took while it failed counts against no limit', async () => {
		let isFailing = true;
		const clock = new ManualClock(1_000_000);
		const memory = new InMemoryInfoSessionManager({ clock });
		const info = variantOf(memory, (method, work) => {
			const result = work();
			if (method === 'create' && isFailing) throw new SessionManagerError('unavailable', 'The reply was lost.');
			return result;
		});
		const rig = await Rig.open(door, {
			clock,
			sessionManager: { info },
			authenticate,
			maxSessionsPerPrincipal: 1,
			tooManySessions: 'refuse',
		});
		for (let n = 0; n < 3; n++) expect((await rig.initialize()).status).toBe(503);
		await eventually(() => memory.stats().sessions).toBe(0);
		isFailing = false;
		await rig.session();
		expect((await rig.initialize()).status).toBe(429);
	});
});

it('an HTTP+SSE session whose stream cannot be opened counts against no limit', async () => {
	const info = new InMemoryInfoSessionManager();
	const streams = variantOf(new InMemoryStreamSessionManager(), (method, work) => {
		const result = work();
		if (method === 'create' && info.stats().sessions > 0) throw new SessionManagerError('unavailable', 'No stream.');
		return result;
	});
	const transport = new SseTransport(() => ({ connect: async () => {}, close: async () => {} }), {
		sessionManager: { info, streams },
	});
	await using _ = transport;
	const door = await handleDoor.open(transport);
	for (let n = 0; n < 3; n++) {
		const answer = await door.send({ method: 'GET', path: '/sse', headers: { accept: 'text/event-stream' } });
		expect(answer.status).toBe(503);
	}
	await eventually(() => info.stats().sessions).toBe(0);
	await door.close();
});
