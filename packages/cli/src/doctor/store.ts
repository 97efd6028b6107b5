import { OperatorNode } from '../operator-node.js';
import type { Settings } from '../settings.js';
import { sessionsIn } from '../store/find-session.js';
import { reasonOf, type Store } from '../store/open-store.js';
import type { Report } from './finding.js';

/** From which median of a read on the store is slow, in milliseconds: each session's first request waits for one. */
const SLOW_MS = 50;
const READS = 9;
/** From which part of its limit on a store is full. */
const NEARLY_FULL = 0.9;
const SQLITE_REPAIR = 'Give the file and its folder to the user that runs the servers, on a local disk.';

/** Examines what every store must do. Returns whether it can be used. */
export async function examineStore(store: Store, settings: Settings, report: Report): Promise<boolean> {
	try {
		await examineLatency(store, report);
		await examineRoom(store, settings, report);
		await examineNodes(store, report);
		return true;
	} catch (error) {
		const what = reasonOf(error);
		if (store.engine === 'sqlite') {
			report('sqlite-file', what, SQLITE_REPAIR);
		} else if (/may not run commands/.test(what)) {
			report(
				'store-permission',
				what,
				'Allow what is named: ACL SETUSER with those commands, ~holdfast:* and &holdfast:*.',
			);
		} else report('store-unreachable', what, 'See that the store runs, and that its address is right.');
		return false;
	}
}

async function examineLatency({ info, name }: Store, report: Report): Promise<void> {
	const tookMs: number[] = [];
	// The first read connects.
	for (let read = 0; read <= READS; read++) {
		const begun = performance.now();
		await info.read('doctor');
		if (read > 0) tookMs.push(performance.now() - begun);
	}
	const median = tookMs.sort((one, other) => one - other)[READS >> 1] ?? 0;
	if (median < SLOW_MS) return;
	const what = `A read of ${name} takes ${Math.round(median)} ms.`;
	report('store-slow', what, 'Put the store into the same region as the nodes, and see what keeps it busy.');
}

async function examineRoom({ info, engine }: Store, settings: Settings, report: Report): Promise<void> {
	const most = settings.maxSessions ?? (engine === 'postgres' ? 10_000 : 100_000);
	if (most === 0) return;
	let count = 0;
	for await (const _ of sessionsIn(info)) count++;
	if (count < most * NEARLY_FULL) return;
	report(
		'store-full',
		`The store has ${count} of at most ${most} sessions.`,
		'Raise maxSessions on every node, or lower idleTtlMs so that unused sessions end sooner.',
	);
}

/** Joins the nodes: so it shows whether they hear each other, and which of them hangs. */
async function examineNodes(store: Store, report: Report): Promise<void> {
	const node = new OperatorNode(store);
	try {
		const ids = (await store.info.nodes()).map(({ id }) => id).filter((id) => id !== node.nodeId);
		let joined = false;
		let reason = '';
		try {
			joined = await node.join(ids);
		} catch (error) {
			reason = ` (${reasonOf(error)})`;
		}
		if (!joined) return silent(store, reason, report);
		// A node may have left since, and then the store does not know it any more.
		const still = new Set((await store.info.nodes()).map(({ id }) => id));
		for (const id of ids) {
			if (node.hears(id) || !still.has(id)) continue;
			const what = `Node ${id} is announced in the store but does not answer.`;
			report('node-hung', what, 'Restart its process; give it a liveness probe that asks its HTTP server.');
		}
	} finally {
		await node.close();
	}
}

function silent({ engine, name }: Store, reason: string, report: Report): void {
	if (engine === 'sqlite') {
		const what = `Processes do not hear each other through ${name}${reason}.`;
		return report('sqlite-file', what, SQLITE_REPAIR);
	}
	if (engine === 'postgres') {
		const what = `A NOTIFY through ${name} does not come back${reason}: a pooler may be in the way of LISTEN.`;
		return report('postgres-pooler', what, 'Give the managers the option listenUrl, an address without the pooler.');
	}
	const what = `What is published through ${name} does not come back${reason}: nodes do not hear each other.`;
	report(
		'store-silent',
		what,
		'Allow the commands of pub/sub (+@pubsub) on the channels (&holdfast:*), also in proxies.',
	);
}
