import type { AudienceOf, Authenticate } from '@holdfast/transport';
import { describe, expect, it } from 'vitest';
import type { Loose, WireResponse } from '../../../../test/support/clients/wire-response.ts';
import { type Door, doors, handleDoor } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { openNodes as openRigs } from '../../../../test/support/nodes.ts';
import type { Rig } from '../../../../test/support/rig.ts';
import { v2McpServer } from '../../../../test/support/servers.ts';
import { ask, statelessMessage } from '../../../../test/support/stateless-request.ts';

const secret = 'secret://plan';
const open = 'note://open';

const authenticate: Authenticate = ({ header }) => {
	const token = header('authorization') ?? '';
	return { token, clientId: token, scopes: [], ...(token !== 'nameless' && { extra: { sub: token } }) };
};
const as = (who: string) => ({ authorization: who });

/** Two nodes that tell of secrets only those who may hear of them at the time; others may join and leave. */
async function openNodes(door: Door, rule?: AudienceOf) {
	const nodes = await openRigs(door, { sdk: v2McpServer, stateless: {}, authenticate });
	const members = new Set([' alice', ' bob']);
	const asked: (string | undefined)[] = [];
	const audienceOf: AudienceOf = (uri) =>
		uri.startsWith('secret:')
			? (principal) => {
					asked.push(principal);
					return Promise.resolve(members.has(String(principal)));
				}
			: undefined;
	for (const { transport } of [nodes.a, nodes.b]) transport.notify.restrict(rule ?? audienceOf);
	return { ...nodes, members, asked };
}

const listen = (rig: Rig, who: string, uris: readonly string[]) =>
	ask(rig, statelessMessage('subscriptions/listen', { notifications: { resourceSubscriptions: uris } }), as(who));

const heardBy = (stream: WireResponse) =>
	stream.messages.flatMap(({ message }) =>
		message.method === 'notifications/resources/updated' ? [message.params.uri] : [],
	);

describe.each(doors)('a resource that not everybody may hear of, through $name', (door) => {
	it('is left out of what a stranger is acknowledged, and of what they hear', async () => {
		const { a, b } = await openNodes(door);
		const [alice, eve] = [await listen(b, 'alice', [secret, open]), await listen(b, 'eve', [secret, open])];
		const acknowledged = async (stream: WireResponse) => (await stream.message(0)).params.notifications;
		expect(await acknowledged(alice)).toEqual({ resourceSubscriptions: [secret, open] });
		expect(await acknowledged(eve)).toEqual({ resourceSubscriptions: [open] });
		const alone = await listen(b, 'eve', [secret]);
		await alone.ended();
		expect(await acknowledged(alone)).toEqual({});
		await a.transport.notify.resourceUpdated(secret);
		await alice.message(1);
		await a.transport.notify.resourceUpdated(open);
		await eve.message(1);
		expect([heardBy(alice)[0], heardBy(eve)]).toEqual([secret, [open]]);
	});

	it('is heard of no more by whoever may not any more, on whichever node they listen', async () => {
		const { a, b, members, asked } = await openNodes(door);
		const streams = [await listen(b, 'bob', [secret, open]), await listen(b, 'alice', [secret])];
		streams.push(await listen(b, 'alice', [secret]));
		const [bob, alice] = streams as [WireResponse, WireResponse];
		await a.transport.notify.resourceUpdated(secret);
		for (const stream of streams) await stream.message(1);
		members.delete(' bob');
		asked.length = 0;
		await a.transport.notify.resourceUpdated(secret);
		await alice.message(2);
		// However many streams somebody has, they are asked about once.
		expect(asked).toEqual([' bob', ' alice']);
		await a.transport.notify.resourceUpdated(open);
		await bob.message(2);
		expect(heardBy(bob)).toEqual([secret, open]);
	});

	it('is told of in sessions to those alone who may hear of it then', async () => {
		const { a, b, members } = await openNodes(door);
		const open = async (who: string) => {
			const { headers } = await a.post(
				{
					jsonrpc: '2.0',
					id: 0,
					method: 'initialize',
					params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '0' } },
				},
				as(who),
			);
			const session = { ...as(who), 'mcp-session-id': headers.get('mcp-session-id') ?? undefined };
			const post = (method: string, params?: Loose) =>
				b.post({ jsonrpc: '2.0', id: 1, method, ...(params && { params }) }, session);
			return { post, session };
		};
		const [alice, bob, eve] = [await open('alice'), await open('bob'), await open('eve')];
		const subscribe = async (client: typeof alice, uri: string) =>
			(await (await client.post('resources/subscribe', { uri })).answer()) as Loose;
		for (const client of [alice, bob]) expect((await subscribe(client, secret)).result).toEqual({});
		expect((await subscribe(eve, secret)).error).toMatchObject({ code: -32002, data: { uri: secret } });
		expect((await subscribe(eve, 'note://else')).result).toEqual({});
		members.delete(' bob');
		const streams = [];
		for (const { session } of [alice, bob])
			streams.push(await b.send({ method: 'GET', headers: { ...session, accept: 'text/event-stream' } }));
		await a.transport.notify.resourceUpdated(secret);
		await a.transport.notify.toolsChanged();
		const told = await Promise.all(
			streams.map(async (stream) => {
				await stream.find(({ method }) => method === 'notifications/tools/list_changed');
				return heardBy(stream);
			}),
		);
		expect(told).toEqual([[secret], []]);
	});

	it('is told of later where nobody could say who may hear of it, and then once', async () => {
		let isDown = false;
		const { a, b, clock } = await openNodes(door, () => () => {
			if (isDown) throw new Error('The store is away.');
			return true;
		});
		const stream = await listen(b, 'alice', [secret]);
		await stream.message(0);
		isDown = true;
		await a.transport.notify.resourceUpdated(secret);
		await eventually(() => b.errors.length).toBe(1);
		await a.transport.notify.resourceUpdated(secret);
		clock.advance(1_000);
		await eventually(() => b.errors.length).toBe(2);
		const refused = await (await listen(b, 'alice', [secret])).json();
		expect(refused.error?.code).toBe(-32603);
		isDown = false;
		clock.advance(2_000);
		await stream.message(1);
		await a.transport.notify.resourceUpdated(secret);
		await stream.message(2);
		expect(heardBy(stream)).toEqual([secret, secret]);
	});

	it('is kept from everybody where the answer is no boolean', async () => {
		const { b } = await openNodes(door, () => () => 'yes' as never);
		expect((await (await listen(b, 'alice', [secret])).json()).error?.code).toBe(-32603);
	});
});

it('who is known by a credential alone is no other principal than in a session', async () => {
	const asked: (string | undefined)[] = [];
	const { b } = await openNodes(handleDoor, () => (principal) => {
		asked.push(principal);
		return false;
	});
	await (await listen(b, 'nameless', [secret])).ended();
	expect(asked).toEqual([expect.stringMatching(/^credential:/)]);
});
