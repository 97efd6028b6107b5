import { describe, expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { Rig, type TestClient } from '../../../../test/support/rig.ts';
import { sdks, type Tool } from '../../../../test/support/servers.ts';

const levels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

/** Says one line of each level here and outside. */
const shout: Tool = async ({ here, outside }) => {
	for (const level of levels) {
		await here.log(level, level);
		await outside.log(level, level);
	}
	return 'shouted';
};

async function setLevel(client: TestClient, level: unknown) {
	return (await client.request('logging/setLevel', { level })).json();
}

/** The lines that a call of `shout` puts on its own stream, and on the session stream. */
async function hear(client: TestClient): Promise<{ here: string[]; outside: string[] }> {
	const session = await client.get();
	const call = await client.call('shout');
	await call.ended();
	await client.rig.transport.notify.toolsChanged();
	await session.find(({ method }) => method === 'notifications/tools/list_changed');
	const lines = ({ messages }: typeof call) => messages.flatMap(({ message }) => message.params?.data ?? []);
	return { here: lines(call), outside: lines(session) };
}

describe.each(doors)('logging/setLevel, through $name', (door) => {
	it.each(sdks)('is respected on every stream; before it, everything passes ($name)', async (sdk) => {
		const rig = await Rig.open(door, { sdk, tools: { shout } });
		const client = await rig.session();
		expect(await hear(client)).toEqual({ here: levels, outside: levels });
		expect(await setLevel(client, 'warning')).toMatchObject({ result: {} });
		const heard = levels.slice(levels.indexOf('warning'));
		expect(await hear(client)).toEqual({ here: heard, outside: heard });
	});

	it.each(levels)('%s lets itself and what is more severe pass', async (level) => {
		const rig = await Rig.open(door, { tools: { shout } });
		const client = await rig.session();
		await setLevel(client, level);
		expect((await hear(client)).here).toEqual(levels.slice(levels.indexOf(level)));
	});

	it('may be set again, up and down', async () => {
		const rig = await Rig.open(door, { tools: { shout } });
		const client = await rig.session();
		for (const level of ['emergency', 'debug', 'error']) {
			await setLevel(client, level);
			expect((await hear(client)).here).toEqual(levels.slice(levels.indexOf(level)));
		}
	});

	it('is of its session alone', async () => {
		const rig = await Rig.open(door, { tools: { shout } });
		const [quiet, loud] = [await rig.session(), await rig.session()];
		await setLevel(quiet, 'emergency');
		expect((await hear(loud)).here).toEqual(levels);
		expect((await hear(quiet)).here).toEqual(['emergency']);
	});

	it('is known to the session', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		expect(rig.made[0]?.logLevel).toBeUndefined();
		await setLevel(client, 'notice');
		expect(rig.made[0]?.logLevel).toBe('notice');
	});

	it.each(['loud', '', 5, null, undefined])(
		'to what is no level is refused, and changes nothing: %j',
		async (level) => {
			const rig = await Rig.open(door, { tools: { shout } });
			const client = await rig.session();
			await setLevel(client, 'alert');
			expect(await setLevel(client, level)).toMatchObject({ error: { code: expect.any(Number) } });
			expect((await hear(client)).here).toEqual(['alert', 'emergency']);
		},
	);

	it('of a server without logging is refused', async () => {
		const rig = await Rig.open(door, { capabilities: { tools: {} } });
		const client = await rig.session();
		expect(await setLevel(client, 'error')).toMatchObject({ error: { code: -32601 } });
		expect(rig.made[0]?.logLevel).toBeUndefined();
	});

	it('filters log messages and nothing else', async () => {
		const rig = await Rig.open(door, {
			tools: {
				talk: async ({ here, progress }) => {
					await here.log('info', 'muted');
					await progress(1);
					await here.notify('notifications/tools/list_changed', {});
					return 'done';
				},
			},
		});
		const client = await rig.session();
		await setLevel(client, 'emergency');
		const stream = await client.call('talk', {}, { progressToken: 't' });
		await stream.ended();
		expect(stream.messages.map(({ message }) => message.method)).toEqual([
			'notifications/progress',
			'notifications/tools/list_changed',
			undefined,
		]);
	});

	it('keeps a call whose lines are all muted a plain JSON response', async () => {
		const rig = await Rig.open(door);
		const client = await rig.session();
		await setLevel(client, 'error');
		expect((await client.call('log', { count: 3, level: 'info' })).headers.get('content-type')).toBe(
			'application/json',
		);
	});
});
