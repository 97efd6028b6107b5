import { ABILITIES, type Ability } from './ability.js';
import type { Backend, ManagerFactory, Peer, PeerGroup } from './manager-factory.js';
import { sampleRecord } from './sample-record.js';
import { StreamClient, sse } from './stream-client.js';

/** The handles of the backend that an ability requires. */
const handles: Partial<Record<Ability, readonly (keyof Backend)[]>> = {
	partition: ['cutOff', 'rejoin'],
	outages: ['fail', 'heal'],
	durable: ['restart'],
	dataLoss: ['loseData'],
};

/** Abilities that require another. */
const needs: readonly (readonly [Ability, needed: Ability])[] = [
	['history', 'streams'],
	['limits', 'history'],
	['oneOrder', 'streams'],
	['keepsEnded', 'info'],
	['registry', 'info'],
	['capacity', 'info'],
	['makesRoom', 'info'],
	['kinds', 'info'],
	['partition', 'crossNode'],
];

/** Throws a `TypeError` that says what is missing where `factory` is no factory at all. */
export function checkShape(factory: ManagerFactory): void {
	const is = factory === null ? 'null' : typeof factory;
	const wanted = 'must be an object with `abilities` and `createPeers`';
	demand(is === 'object' || is === 'function', `${wanted}, and is ${is}`);
	demand(Array.isArray(factory.abilities), `${wanted}: \`abilities\` is no list`);
	demand(typeof factory.createPeers === 'function', `${wanted}: \`createPeers\` is no function`);
}

/** Rejects with a `TypeError` that says what to change when a factory does not provide what the cases rely on. */
export async function checkFactory(factory: ManagerFactory): Promise<void> {
	checkShape(factory);
	const { abilities } = factory;
	for (const ability of abilities) {
		demand(ability in ABILITIES, `declares "${ability}", which is not one of ${Object.keys(ABILITIES).join(', ')}`);
	}
	demand(abilities.includes('streams') || abilities.includes('info'), 'declares neither "streams" nor "info"');
	for (const [ability, needed] of needs) {
		if (abilities.includes(ability)) demand(abilities.includes(needed), `declares "${ability}" without "${needed}"`);
	}

	const count = abilities.includes('crossNode') ? 2 : 1;
	const first = await create(factory, count);
	try {
		checkGroup(first, factory, count);
		await store(first);
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
	demand(typeof group?.close === 'function', 'returns a group without `close`');
	return group;
}

function checkGroup({ peers, backend }: PeerGroup, { abilities }: ManagerFactory, count: number): void {
	demand(Array.isArray(peers) && peers.length === count, `was asked for ${count} peers and returned ${peers?.length}`);
	for (const contract of ['streams', 'info'] as const) {
		const managers = peers.map((peer) => peer[contract]);
		const declared = abilities.includes(contract);
		for (const manager of managers) {
			if (declared) demand(manager !== undefined, `declares "${contract}" and returns a peer without \`${contract}\``);
			else demand(manager === undefined, `returns peers with \`${contract}\` but does not declare "${contract}"`);
		}
		if (declared && new Set(managers).size < count) {
			throw wrong(`returns the same \`${contract}\` manager for several peers: each node needs a manager of its own`);
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
			demand(typeof backend?.[handle] === 'function', `declares "${ability}" but returns no \`backend.${handle}\``);
		}
	}
}

const ID = 'left-behind';
const URI = 'x:left-behind';

async function store({ peers: [peer] }: PeerGroup): Promise<void> {
	await peer?.streams?.create(ID, new StreamClient());
	await peer?.info?.create(sampleRecord(ID));
	await peer?.info?.addSubscription(ID, URI);
}

async function checkShared({ peers }: PeerGroup): Promise<void> {
	for (const { call, found, gave } of await finds(peers[1])) {
		const either = `either each has a backend of its own, or \`${nameOf(call)}\` does not find what is there`;
		demand(
			found,
			`returns peers that do not share a backend: after one stored it, \`${call}\` of another gave ${gave}. So ${either}`,
		);
	}
}

async function checkIsolated({ peers: [before] }: PeerGroup, { peers: [peer] }: PeerGroup): Promise<void> {
	for (const { call, found, gave } of await finds(peer)) {
		const either = `either they need a new backend for each call, or \`${nameOf(call)}\` finds what is not there`;
		demand(!found, `returns peers that find data of an earlier call: \`${call}\` gave ${gave}. So ${either}`);
	}
	if (before?.streams === undefined || peer?.streams === undefined) return;
	const listening = new StreamClient();
	await peer.streams.create('listening', listening);
	await before.streams.send(undefined, sse('from another backend'));
	await before.streams.send(['listening'], sse('from another backend'));
	await peer.streams.send(['listening'], sse('own'));
	demand(
		!(await listening.hears('own')).includes('from another backend'),
		'returns peers that receive messages of an earlier call: use a new backend for each call',
	);
}

/** What a method of a manager gave for what {@link store} stored. */
interface Finding {
	readonly call: string;
	readonly found: boolean;
	readonly gave: string;
}

/** Asks each manager of `peer` for what {@link store} stored. */
async function finds(peer: Peer | undefined): Promise<Finding[]> {
	const findings: Finding[] = [];
	if (peer?.streams !== undefined) {
		const has = await peer.streams.has(ID);
		findings.push({ call: `streams.has('${ID}')`, found: has, gave: String(has) });
	}
	if (peer?.info !== undefined) {
		const record = await peer.info.read(ID);
		const gave = record === undefined ? 'undefined' : 'a record';
		findings.push({ call: `info.read('${ID}')`, found: record !== undefined, gave });
		const ids = await peer.info.getSubscriptions(URI);
		findings.push({ call: `info.getSubscriptions('${URI}')`, found: ids.length > 0, gave: JSON.stringify(ids) });
	}
	return findings;
}

function nameOf(call: string): string {
	return call.slice(0, call.indexOf('('));
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
