import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { describe, expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { Rig } from '../../../test/support/rig.ts';

/** A minute: however short the idle time, the store hears of a use that often at most. */
const TOUCH_INTERVAL_MS = 60_000;

/** Returns a manager that counts what is asked of it. */
function counted<T extends object>(manager: T, asked: Record<string, number>): T {
	return new Proxy(manager, {
		get(target, name) {
			const value: unknown = Reflect.get(target, name, target);
			if (typeof value !== 'function') return value;
			return (...args: unknown[]) => {
				asked[String(name)] = (asked[String(name)] ?? 0) + 1;
				return Reflect.apply(value, target, args);
			};
		},
		set: (target, name, value) => Reflect.set(target, name, value),
	});
}

describe.each(doors)('calls of a session that the node knows, through $name', (door) => {
	it('ask the store for nothing, but say once in a while that the session is used', async () => {
		const asked: Record<string, number> = {};
		const clock = new ManualClock(1_000_000);
		const sessionManager = {
			streams: counted(new InMemoryStreamSessionManager({ clock }), asked),
			info: counted(new InMemoryInfoSessionManager({ clock }), asked),
		};
		const rig = await Rig.open(door, { sessionManager, clock });
		const client = await rig.session();
		await client.call('echo', { text: 'first' });
		const callOften = async () => {
			for (const name of Object.keys(asked)) delete asked[name];
			for (let n = 0; n < 50; n++) expect((await client.call('echo', { text: `${n}` })).status).toBe(200);
			return { ...asked };
		};
		expect(await callOften()).toEqual({});
		for (let round = 0; round < 3; round++) {
			rig.clock.advance(TOUCH_INTERVAL_MS);
			const { touch, ...others } = await callOften();
			expect(touch).toBe(1);
			// The node looks after itself meanwhile; that takes no longer with more calls.
			expect(Object.values(others).reduce((sum, count) => sum + count, 0)).toBeLessThan(10);
		}
	});
});
