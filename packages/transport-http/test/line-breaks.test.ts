import { expect, it } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { Rig, textOf } from '../../../test/support/rig.ts';
import type { Tool } from '../../../test/support/servers.ts';

// Python's `splitlines`, for one, breaks lines at these.
const odd = 'a\u0085b\u2028c\u2029d\\u2028';
const say: Tool = async ({ here, outside }) => {
	await here.log('info', odd);
	await outside.log('info', odd);
	return odd;
};

it.each(doors)('what some clients take for a line break is escaped on every stream, through $name', async (door) => {
	const rig = await Rig.open(door, { tools: { say } });
	const client = await rig.session();
	const session = await client.get();
	const call = await client.call('say');
	expect(textOf(await call.answer())).toBe(odd);
	expect((await call.message(0)).params.data).toBe(odd);
	expect((await session.message(0)).params.data).toBe(odd);
	for (const { received } of [call, session]) expect(received).not.toMatch(/[\u0085\u2028\u2029]/);

	// What resumes reads the same from the history.
	const resumed = await client.get((await call.block(0)).id);
	await resumed.ended();
	expect(textOf(await resumed.answer())).toBe(odd);
	expect(resumed.received).not.toMatch(/[\u0085\u2028\u2029]/);
});
