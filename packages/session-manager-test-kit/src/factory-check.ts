import { ABILITIES, type Ability } from './ability.js';
import type { Backend, ManagerFactory, Peer, PeerGroup } from './manager-factory.js';
import { sampleRecord } from './sample-record.js';
import { StreamClient, sse } from './stream-client.js';

/** The handles of the backend that an ability needs. */
const handles: Partial<Record<Ability, readonly (keyof Backend)[]>> = {
	partition: ['cutOff', 'rejoin'],
	outages: ['fail', 'heal'],
	durable: ['restart'],
	dataLoss: ['loseData'],
};

/** Abilities that are nothing without another. */
const needs: readonly (readonly [Ability, needed: Ability])[] = [
	['history', 'streams'],
	['limits', 'history'],
	['oneOrder', 'streams'],
	['keepsEnded', 'info'],
	['capacity', 'info'],
	['partition', 'crossNode'],
];

/** Rejects, and says what to change, where a factory does not give what the cases rely on. */
export async function checkFactory(factory: ManagerFactory): Promise<void> {
	const { abilities } = factory;
	for (const ability of abilities) {
		demand(ability in ABILITIES, `declares "${ability}", which is none of ${Object.keys(ABILITIES).join(', ')}`);
	}
	demand(abilities.includes('streams') || abilities.includes('info'), 'declares neither "streams" nor "info"');
	for (const [ability, needed] of needs) {
		if (abilities.includes(ability)) demand(abilities.includes(needed), `declares "${ability}" without "${needed}"`);
	}

	const count = abilities.includes('crossNode') ? 2 : 1;
	const first = await create(factory, count);
	try {
		checkGroup(first, factory, count);
		await fill(first);
		if (abilities.includes('crossNode')) await checkShared(first);
		const second = await create(factory, count);
		try {
			checkGroup(second, factory, count);
			await checkIsolated(first, second);
		} finally {
			await closeTwice(second);
		}
	} finally {
		await closeTwice(first);
	}
}

async function create(factory: ManagerFactory, count: number): Promise<PeerGroup> {
	const group = await factory.createPeers(count);
	demand(typeof group?.close === 'function', 'gives no `close`');
	return group;
}

function checkGroup({ peers, backend }: PeerGroup, { abilities }: ManagerFactory, count: number): void {
	demand(Array.isArray(peers) && peers.length === count, `was asked for ${count} peers and made ${peers?.length}`);
	for (const contract of ['streams', 'info'] as const) {
		const managers = peers.map((peer) => peer[contract]);
		const declared = abilities.includes(contract);
		for (const manager of managers) {
			if (declared) demand(manager !== undefined, `declares "${contract}" and makes a peer without \`${contract}\``);
			else demand(manager === undefined, `makes peers with \`${contract}\` and does not declare "${contract}"`);
		}
		if (declared && new Set(managers).size < count) {
			throw wrong(`makes peers that are one and the same \`${contract}\`: two nodes have a manager each`);
		}
	}
	for (const { streams } of peers) {
		if (streams === undefined) continue;
		const history = abilities.includes('history');
		demand(streams.resumable || !history, 'declares "history", but the manager says that it is not resumable');
		demand(history || !streams.resumable, 'does not declare "history", but the manager says that it is resumable');
	}
	for (const ability of abilities) {
		for (const handle of handles[ability] ?? []) {
			demand(typeof backend?.[handle] === 'function', `declares "${ability}" and gives no \`backend.${handle}\``);
		}
	}
}

const ID = 'left-behind';

async function fill({ peers: [peer] }: PeerGroup): Promise<void> {
	await peer?.streams?.create(ID, new StreamClient());
	await peer?.info?.create(sampleRecord(ID));
	await peer?.info?.addSubscription(ID, 'x:left-behind');
}

async function checkShared({ peers }: PeerGroup): Promise<void> {
	const [holds, knows] = await seen(peers[1]);
	demand(holds && knows, 'makes peers that do not share a backend: what one stores, the other does not find');
}

async function checkIsolated({ peers: [before] }: PeerGroup, { peers: [peer] }: PeerGroup): Promise<void> {
	const [holds, knows] = await seen(peer);
	const subscribed = await peer?.info?.getSubscriptions('x:left-behind');
	const message = 'makes peers that find what those of an earlier call stored: give each call a backend of its own';
	demand(peer?.streams === undefined || !holds, message);
	demand(peer?.info === undefined || (!knows && subscribed?.length === 0), message);
	if (before?.streams === undefined || peer?.streams === undefined) return;
	const listening = new StreamClient();
	await peer.streams.create('listening', listening);
	await before.streams.send(undefined, sse('from another backend'));
	await before.streams.send(['listening'], sse('from another backend'));
	await peer.streams.send(['listening'], sse('own'));
	demand(
		(await listening.hears('own')).length === 1,
		'makes peers that hear those of an earlier call: give each call a backend of its own',
	);
}

/** Whether `peer` finds what {@link fill} stored; what it has no manager for counts as found. */
async function seen(peer: Peer | undefined): Promise<[holds: boolean, knows: boolean]> {
	return [
		peer?.streams === undefined || (await peer.streams.has(ID)),
		peer?.info === undefined || (await peer.info.read(ID)) !== undefined,
	];
}

async function closeTwice(group: PeerGroup): Promise<void> {
	await group.close();
	try {
		await group.close();
	} catch (cause) {
		throw wrong('cannot close its peers a second time', cause);
	}
}

function demand(met: boolean, message: string): asserts met {
	if (!met) throw wrong(message);
}

function wrong(message: string, cause?: unknown): Error {
	return new TypeError(`The factory ${message}.`, cause === undefined ? undefined : { cause });
}
