import { describe, expect, it } from 'vitest';
import { doors } from '../support/doors.ts';
import { Rig } from '../support/rig.ts';

describe.each(doors)('through $name', (door) => {
	it('an event id of another session is refused, and tells nothing of that session', async () => {
		const rig = await Rig.open(door);
		const victim = await rig.session();
		const answer = await victim.post({
			jsonrpc: '2.0',
			id: 'a secret of the victim',
			method: 'tools/call',
			params: { name: 'log', arguments: { count: 1 } },
		});
		const { id } = await answer.event(0);
		expect(id).toContain('/');
		const other = await rig.session();
		const stolen = await other.get(id ?? '');
		expect(stolen.status).toBe(400);
		expect(await stolen.text()).not.toContain('a secret of the victim');
		// Whose it is may use it.
		expect((await victim.get(id ?? '')).status).not.toBe(400);
	});
});
