import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { systemClock } from '@holdfast/session-manager/custom';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Answers, connectOfficial, pairs } from '../../../test/support/clients/official-client.ts';
import { Happening, settle, within } from '../../../test/support/deadline.ts';
import { handleDoor } from '../../../test/support/doors.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { CuttingProxy } from '../../../test/support/network/cutting-proxy.ts';
import { Rig, type RigOptions } from '../../../test/support/rig.ts';
import type { Tool } from '../../../test/support/servers.ts';

const form = { message: 'Name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** Logs the numbers from `from` to `to` on the session stream. */
const say: Tool = async ({ args, outside }) => {
	for (let n = args['from']; n <= args['to']; n++) await outside.log('info', n);
	return 'said';
};

describe.each(pairs)('the official client $client with a server of $server.name', ({ client: clientSdk, server }) => {
	async function connect(tools: Record<string, Tool>, options: RigOptions = {}, answers: Partial<Answers> = {}) {
		const rig = await Rig.open(handleDoor, { sdk: server, clock: systemClock, retryMs: 10, ...options, tools });
		const proxy = new CuttingProxy(Number(new URL(rig.door.origin).port));
		const port = await proxy.listen();
		onTestFinished(() => proxy.close());
		const client = await connectOfficial(clientSdk, `http://127.0.0.1:${port}`, answers);
		return { rig, proxy, client };
	}

	describe.each(['openly', 'silently'] as const)('over connections that are cut %s', (how) => {
		it('hears each message of its session stream once', async () => {
			const { client, proxy, rig } = await connect({ say });
			for (let from = 1; from <= 41; from += 10) {
				await client.call('say', { from, to: from + 4 });
				expect(await client.untilLogged(from + 4)).toHaveLength(from + 4);
				expect(proxy.cut('GET stream', how)).toBe(1);
				await client.call('say', { from: from + 5, to: from + 9 });
				await client.untilLogged(from + 9);
			}
			expect(client.logged).toEqual(upTo(50));
			expect(rig.errors).toEqual([]);
		});

		it('hears each message of a running call once, and its response', async () => {
			const gates = [new Happening('first gate'), new Happening('second gate')];
			const count: Tool = async ({ here }) => {
				for (const n of upTo(9)) {
					await here.log('info', n);
					if (n % 3 === 0) await gates[n / 3 - 1]?.wait();
				}
				return 'counted';
			};
			const { client, proxy, rig } = await connect({ count });
			const answer = client.call('count');
			await client.untilLogged(3);
			expect(proxy.cut('POST stream', how)).toBe(1);
			gates[0]?.happen();
			await client.untilLogged(6);
			// The rest of the call comes by GET now, beside the session stream: both are cut.
			expect(proxy.cut('GET stream', how)).toBe(2);
			gates[1]?.happen();
			expect(await within(answer, 'the answer')).toBe('counted');
			expect(client.logged).toEqual(upTo(9));
			expect(rig.errors).toEqual([]);
		});

		it('gets the response to a call whose connection was cut before the first message', async () => {
			const gate = new Happening('the gate');
			const wait: Tool = async () => {
				await gate.wait();
				return 'worth it';
			};
			const { client, proxy } = await connect({ wait }, { sseAfterMs: 1 });
			const answer = client.call('wait');
			await client.exchanges.count(4, 'head of the answer to the call');
			await settle();
			expect(proxy.cut('POST stream', how)).toBe(1);
			gate.happen();
			expect(await within(answer, 'the answer')).toBe('worth it');
		});

		it('is asked once what the server asked while it was away', async () => {
			const gate = new Happening('the gate');
			const asked: string[] = [];
			const ask: Tool = async ({ here, outside }) => {
				await here.log('info', 'begun');
				await gate.wait();
				const [first, second] = await Promise.all([here.elicit(form), outside.elicit(form)]);
				return `${first.action} ${second.action}`;
			};
			const elicit: Answers['elicit'] = ({ message }) => {
				asked.push(message);
				return { action: 'accept', content: {} };
			};
			const { client, proxy } = await connect({ say, ask }, {}, { elicit });
			await client.call('say', { from: 1, to: 1 });
			const answer = client.call('ask');
			await client.untilLogged(2);
			expect([proxy.cut('GET stream', how), proxy.cut('POST stream', how)]).toEqual([1, 1]);
			gate.happen();
			expect(await within(answer, 'the answer')).toBe('accept accept');
			expect(asked).toEqual(['Name?', 'Name?']);
		});

		it('loses nothing and hears nothing twice when it is cut again and again in the middle of a burst', async () => {
			const count: Tool = async ({ here, outside }) => {
				for (const n of upTo(200)) {
					await here.log('info', n);
					await outside.log('notice', -n);
					await new Promise((resolve) => setImmediate(resolve));
				}
				return 'counted';
			};
			const { client, proxy, rig } = await connect({ count });
			const answer = client.call('count');
			for (const heard of [20, 60, 100, 140, 180, 220, 260, 300]) {
				await client.untilLogged(heard);
				proxy.cut('GET stream', how);
				proxy.cut('POST stream', how);
			}
			expect(await within(answer, 'the answer')).toBe('counted');
			const logged = (await client.untilLogged(400)) as number[];
			expect(logged.filter((n) => n > 0)).toEqual(upTo(200));
			expect(logged.filter((n) => n < 0)).toEqual(upTo(200).map((n) => -n));
			expect(rig.errors).toEqual([]);
		});
	});

	it('comes back for the rest of a call whenever the server closes its connection', async () => {
		const poll: Tool = async ({ here, closeStream }) => {
			for (const n of upTo(5)) {
				await here.log('info', n);
				closeStream?.();
			}
			return 'polled';
		};
		const { client, rig } = await connect({ poll });
		expect(await client.call('poll')).toBe('polled');
		expect(client.logged).toEqual(upTo(5));
		const comesBack = client.exchanges.items.filter(
			({ lastEventId, status }) => lastEventId !== null && status === 200,
		);
		expect(comesBack.length).toBeGreaterThan(0);
		expect([client.errors, rig.errors]).toEqual([[], []]);
	});

	it('comes back to its session stream whenever the server closes the connection, and hears each message once', async () => {
		const poll: Tool = async ({ outside, closeSessionStream }) => {
			for (const n of upTo(5)) {
				await outside.log('info', n);
				closeSessionStream?.();
			}
			return 'polled';
		};
		const { client, rig } = await connect({ say, poll });
		await client.call('poll');
		await client.untilLogged(5);
		await client.call('say', { from: 6, to: 6 });
		expect(await client.untilLogged(6)).toEqual(upTo(6));
		expect([client.errors, rig.errors]).toEqual([[], []]);
	});

	it('learns with an error that the response to a call is lost, and does not ask for it for ever', async () => {
		const gate = new Happening('the gate');
		const ended = new Happening('the end of the tool');
		const lose: Tool = async ({ here }) => {
			await here.log('info', 1);
			await gate.wait();
			ended.happen();
			return 'lost';
		};
		const streams = new InMemoryStreamSessionManager();
		const { client, proxy, rig } = await connect({ lose, say }, { sessionManager: { streams } });
		const answer = client.call('lose');
		answer.catch(() => {});
		await client.untilLogged(1);
		proxy.block();
		proxy.cut('POST stream', 'openly');
		gate.happen();
		await ended.wait();
		await eventually(() => rig.transport.stats()).toMatchObject({ requestsInFlight: 0 });
		streams.delete(client.sessionId);
		proxy.unblock();
		await expect(within(answer, 'the end of the call')).rejects.toThrow('is lost');
		// A client that takes no error for a response asks once more.
		const asked = clientSdk === 'v1' ? [200, 405] : [200];
		const statuses = () =>
			client.exchanges.items.filter(({ lastEventId }) => lastEventId?.includes('/')).map(({ status }) => status);
		await client.exchanges.until(() => statuses().length >= asked.length, 'last GET');
		await client.call('say', { from: 2, to: 2 });
		await client.untilLogged(2);
		await eventually(() => rig.transport.stats()).toMatchObject({ connections: 1 });
		expect(statuses()).toEqual(asked);
	});

	it('is left with one stream when all its connections were cut and its calls are over', async () => {
		const gate = new Happening('the gate');
		const wait: Tool = async ({ here, args }) => {
			await here.log('info', args['n']);
			await gate.wait();
			return String(args['n']);
		};
		const { client, proxy, rig } = await connect({ wait, say });
		const answers = upTo(5).map((n) => client.call('wait', { n }));
		await client.untilLogged(5);
		proxy.cut('POST stream', 'openly');
		proxy.cut('GET stream', 'openly');
		gate.happen();
		expect(await within(Promise.all(answers), 'the answers')).toEqual(['1', '2', '3', '4', '5']);
		await client.call('say', { from: 6, to: 6 });
		await client.untilLogged(6);
		await eventually(() => rig.transport.stats()).toMatchObject({ sessions: 1, requestsInFlight: 0, connections: 1 });
	});
});
