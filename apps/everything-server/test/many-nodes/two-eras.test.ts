import { Agent } from 'node:http';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectOfficial, type Mode } from '../../../../test/support/clients/official-client.ts';
import type { Loose } from '../../../../test/support/clients/wire-response.ts';
import { within } from '../../../../test/support/deadline.ts';
import { sendOverHttp } from '../../../../test/support/doors.ts';
import { Mailbox } from '../../../../test/support/mailbox.ts';
import { textOf } from '../../../../test/support/rig.ts';
import { statelessHeaders, statelessMessage } from '../../../../test/support/stateless-request.ts';
import { type Target, useCluster } from './support/cluster.ts';
import { nodeIdOf } from './support/health.ts';
import { range, WireSession } from './support/wire-session.ts';

const cluster = useCluster({ flags: ['--sdk', 'v2', '--stateless'] });
const uri = 'test://watched-resource';
const agent = new Agent();
const MODERN = '2026-07-28';

const address = () => `http://127.0.0.1:${cluster.balancer.port}`;

const visitors = [
	{ name: 'v2 with mode auto', sdk: 'v2', mode: 'auto', isModern: true },
	{ name: 'v2, pinned', sdk: 'v2', mode: { pin: MODERN }, isModern: true },
	{ name: 'v2 with mode legacy', sdk: 'v2', mode: 'legacy', isModern: false },
	{ name: 'v1', sdk: 'v1', mode: 'legacy', isModern: false },
] as const;

async function connect(mode: Mode) {
	const client = new Client({ name: 'two-eras', version: '1' }, { versionNegotiation: { mode } });
	const transport = new StreamableHTTPClientTransport(new URL(`${address()}/mcp`));
	await client.connect(transport);
	onTestFinished(() => client.close());
	const call = async (name: string, args: Record<string, unknown> = {}) => {
		const { structuredContent } = await client.callTool({ name, arguments: args });
		return structuredContent as Record<string, unknown>;
	};
	return { client, transport, call };
}

/** Waits until the balancer sends requests to every node: one that was away is passed over for two seconds more. */
async function takesTurns(nodeOf: () => Promise<string>): Promise<void> {
	const served = new Set<string>();
	await expect.poll(async () => served.add(await nodeOf()).size, { timeout: 20_000 }).toBe(3);
}

describe('two eras at one address, on three nodes', () => {
	test.each([
		['auto', MODERN],
		[{ pin: MODERN }, MODERN],
		['legacy', '2025-11-25'],
	] as const)('the official client with mode %o speaks %s with every node', async (mode, version) => {
		const { client, transport, call } = await connect(mode);
		expect(client.getNegotiatedProtocolVersion()).toBe(version);
		expect(transport.sessionId === undefined).toBe(version === MODERN);
		const nodes = new Set<unknown>();
		for (let turn = 0; turn < 6; turn++) nodes.add((await call('sleep', { ms: 0 }))['nodeId']);
		expect(nodes.size).toBe(3);
		expect((await client.listTools()).tools.map(({ name }) => name)).toContain('sleep');
		const told: number[] = [];
		const progress = client.callTool(
			{ name: 'test_tool_with_progress', arguments: {} },
			{ onprogress: ({ progress: step }) => told.push(step) },
		);
		await progress;
		expect(told).toEqual([0, 50, 100]);
	});

	test('a listen stream hears what every node tells, and so does a session', async () => {
		const { client } = await connect('auto');
		const heard = new Mailbox<string>();
		client.setNotificationHandler('notifications/tools/list_changed', () => heard.push('tools'));
		client.setNotificationHandler('notifications/resources/updated', ({ params }) => heard.push(params.uri));
		const subscription = await client.listen({ toolsListChanged: true, resourceSubscriptions: [uri] });
		expect(subscription.honoredFilter).toEqual({ toolsListChanged: true, resourceSubscriptions: [uri] });
		const session = await WireSession.open(cluster.node(0));
		for (const node of cluster.nodes) {
			await session.result(node, 'notify_list_changed', { kind: 'tools' });
			await session.result(node, 'notify_updated', { uri });
		}
		await heard.count(6, 'notice of each node');
		expect([...heard.items].sort()).toEqual([uri, uri, uri, 'tools', 'tools', 'tools']);
		await subscription.close();
	});

	test('1,000 increments of state without a session, from three nodes, fifty at a time, lose nothing', async () => {
		const add = async (node: Target, handle?: string): Promise<Loose> => {
			const params = { name: 'add_to_state', arguments: { key: 'cart:count', by: 1, handle } };
			const message = statelessMessage('tools/call', params, { capabilities: {} });
			const request = { headers: statelessHeaders(message), body: JSON.stringify(message) };
			const { result } = await (await sendOverHttp(agent, node.port, request)).answer();
			if (result.isError) throw new Error(textOf({ result }));
			return result.structuredContent;
		};
		const { handle, value } = await add(cluster.node(0));
		const values: number[] = [value];
		for (let wave = 0; wave < 20; wave++) {
			const added = await Promise.all(range(1, 50).map((n) => add(cluster.node(n), handle)));
			values.push(...added.map((each) => each.value));
		}
		expect(values.sort((a, b) => a - b)).toEqual(range(1, 1_001));
	}, 120_000);

	test('one tool keeps state for both eras, and the official clients find it again on every node', async () => {
		for (const mode of ['auto', 'legacy'] as const) {
			const { call } = await connect(mode);
			const { handle } = await call('add_to_state', { key: 'n', by: 1 });
			expect(handle === undefined).toBe(mode === 'legacy');
			for (const value of range(2, 4))
				expect(await call('add_to_state', { key: 'n', by: 1, handle })).toEqual({ value, handle });
		}
	});

	test.each(visitors)(
		'the official client $name goes on when a node dies, and hears what the others tell',
		async ({ sdk, mode, isModern }) => {
			const client = await connectOfficial(sdk, address(), {}, 'http', mode);
			expect(client.hasSession).toBe(!isModern);
			await client.watch(uri);
			const nodeOf = async () => JSON.parse(await client.call('sleep', { ms: 0 })).nodeId;
			await takesTurns(nodeOf);
			const [victim, ...others] = cluster.nodes;
			onTestFinished(() => cluster.heal());
			await victim?.kill();
			const left = await Promise.all(others.map(nodeIdOf));
			// The balancer passes over a node that is away, and a request that meets its last connection gets a 502.
			for (let turn = 0; turn < 3; turn++)
				await expect.poll(nodeOf, { timeout: 20_000 }).toSatisfy((id) => left.includes(id));
			// Its stream may have been at that node: a session opens it again by itself.
			if (isModern) await client.watch(uri);
			const told = await WireSession.open(cluster.node(1));
			await told.result(cluster.node(1), 'notify_updated', { uri });
			await told.result(cluster.node(2), 'notify_list_changed', { kind: 'tools' });
			const names = () => client.heard.items.map(({ method, params }) => params?.['uri'] ?? method);
			await client.heard.until(
				() => names().includes(uri) && names().includes('notifications/tools/list_changed'),
				'notice of both nodes',
			);
		},
	);

	test('a client without a session learns that its stream is gone with the node', async () => {
		const { client, call } = await connect('auto');
		await takesTurns(async () => String((await call('sleep', { ms: 0 }))['nodeId']));
		const open = await Promise.all([1, 2, 3].map(() => client.listen({ toolsListChanged: true })));
		const [victim] = cluster.nodes;
		await victim?.kill();
		expect(await within(Promise.race(open.map(({ closed }) => closed)), 'the end of a stream')).toBe('remote');
		await cluster.heal();
	});
});
