import {
	InfoSessionManager,
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	SessionManagerError,
} from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { expect, it } from 'vitest';
import { doors } from '../../../../test/support/doors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { Rig } from '../../../../test/support/rig.ts';
import manifest from '../../package.json' with { type: 'json' };

const [door] = doors as [(typeof doors)[number]];

/** Two nodes, each with a clock of its own beside that of the store: a node whose clock stands still hangs. */
async function open() {
	const clock = new ManualClock(1_000_000);
	const info = new AtTimesAway({ clock });
	const streams = new InMemoryStreamSessionManager({ clock });
	const openNode = async (startedAt: number, node?: { version?: string; address?: string }) => {
		const own = new ManualClock(startedAt);
		const rig = await Rig.open(door, {
			clock: own,
			sessionManager: { streams, info },
			...(node !== undefined && { node }),
		});
		return Object.assign(rig, { own });
	};
	const a = await openNode(1_000, { version: '7.1.0', address: 'http://10.0.0.1:3000' });
	const b = await openNode(2_000);
	return { info, a, b, clock };
}

class AtTimesAway extends InMemoryInfoSessionManager {
	isAway = false;

	override announceNode(...args: Parameters<InMemoryInfoSessionManager['announceNode']>): void {
		if (this.isAway) throw new SessionManagerError('unavailable', 'The engine is away.');
		super.announceNode(...args);
	}
}

it('lists every node with what it says of itself and its counts, oldest first', async () => {
	const { a, b } = await open();
	await b.session();
	await a.session();
	await eventually(async () => (await a.transport.nodes()).map(({ id }) => id)).toEqual([
		a.transport.nodeId,
		b.transport.nodeId,
	]);
	a.own.advance(4_000);
	const counts = { sessions: 1, liveServers: 1, requestsInFlight: 0, requestsWaiting: 0, connections: 0, bodyBytes: 0 };
	const first = {
		id: a.transport.nodeId,
		version: '7.1.0',
		address: 'http://10.0.0.1:3000',
		startedAt: 1_000,
		state: 'ready',
		counts,
	};
	const second = { id: b.transport.nodeId, version: manifest.version, startedAt: 2_000, state: 'ready' };
	await eventually(() => b.transport.nodes()).toMatchObject([first, second]);
	expect((await b.transport.nodes())[1]).toEqual({ ...second, counts });
});

it('tells what a node holds now, for itself at once and for the others with its next word', async () => {
	const { a, b } = await open();
	await a.session();
	await b.session();
	await a.session();
	const sessionsOfA = async (node: Rig) => (await node.transport.nodes())[0]?.counts['sessions'];
	expect(await sessionsOfA(a)).toBe(2);
	a.own.advance(4_000);
	await eventually(() => sessionsOfA(b)).toBe(2);
});

it('forgets a node that hangs within 15 seconds, and lists it again once it goes on', async () => {
	const { a, b, clock } = await open();
	await a.session();
	await b.session();
	const listed = async () => (await b.transport.nodes()).map(({ id }) => id);
	await eventually(listed).toHaveLength(2);
	for (let passed = 0; passed < 3; passed++) {
		b.own.advance(4_000);
		clock.advance(4_000);
		await settled();
	}
	expect(await listed()).toEqual([b.transport.nodeId]);
	a.own.advance(12_000);
	await eventually(listed).toHaveLength(2);
});

it('says that a node is draining as soon as it begins to, and nothing of it once it has closed', async () => {
	const { a, b } = await open();
	await a.session();
	await b.session();
	const states = async () => (await b.transport.nodes()).map(({ state }) => state);
	const drained = a.transport.drain({ delayMs: 100 });
	await eventually(states).toEqual(['draining', 'ready']);
	a.own.advance(100);
	await drained;
	expect(await states()).toEqual(['ready']);
});

it('is told by a readiness probe alone, and of a node without requests to itself only', async () => {
	const { a, b } = await open();
	expect(await b.transport.nodes()).toHaveLength(1);
	expect(await a.transport.nodes()).toHaveLength(1);
	await a.transport.isReady();
	await eventually(async () => (await b.transport.nodes()).length).toBe(2);
});

it('reports an outage once, and announces the node again after it', async () => {
	const { info, a, b, clock } = await open();
	await b.session();
	info.isAway = true;
	await a.session();
	for (let passed = 0; passed < 5; passed++) {
		a.own.advance(4_000);
		clock.advance(4_000);
		await settled();
	}
	expect(a.errors.map(({ message }) => message)).toEqual(['The engine is away.']);
	info.isAway = false;
	a.own.advance(4_000);
	await eventually(async () => (await b.transport.nodes()).map(({ id }) => id)).toContain(a.transport.nodeId);
});

it('has this node alone where the manager keeps no nodes', async () => {
	const info = new InMemoryInfoSessionManager();
	const without = new Proxy(info, {
		get(_target, name) {
			const { announceNode, nodes } = InfoSessionManager.prototype;
			if (name === 'announceNode') return announceNode;
			if (name === 'nodes') return nodes;
			const value: unknown = Reflect.get(info, name);
			return typeof value === 'function' ? value.bind(info) : value;
		},
	});
	const alone = await Rig.open(door, { sessionManager: { info: without } });
	await alone.session();
	expect(await alone.transport.nodes()).toMatchObject([{ id: alone.transport.nodeId }]);
});

/** Each step of an announcement is a promise that is settled already. */
async function settled(): Promise<void> {
	for (let turn = 0; turn < 100; turn++) await Promise.resolve();
}
