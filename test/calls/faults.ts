import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../history/house.ts';
import type { NodeProcess } from '../history/node-process.ts';
import type { Random } from '../history/random.ts';

/** A kind of fault, with how often it is chosen beside the others. */
export type FaultKind = readonly [weight: number, make: (random: Random, lengthMs: number) => Fault];

/** Which fault it is, the random numbers decide. */
export function chooseFault(kinds: readonly FaultKind[], random: Random, lengthMs: number): Fault {
	const total = kinds.reduce((sum, [weight]) => sum + weight, 0);
	let left = random.next() * total;
	for (const [weight, make] of kinds) {
		left -= weight;
		if (left < 0) return make(random, lengthMs);
	}
	throw new Error('The weights do not add up.');
}

/** A node hangs, as with an endless loop or a machine that sleeps. In long runs one time in eight is a long one. */
export function hangNode(nodes: readonly NodeProcess[], long: boolean): FaultKind[1] {
	return (random) => {
		const node = random.pick(nodes);
		const forMs = long && random.chance(0.12) ? random.int(5_000, 20_000) : random.int(1_000, 3_000);
		return fault(`hang a node for ${forMs} ms`, async () => {
			const goOn = node.pause();
			await sleep(forMs);
			goOn();
		});
	};
}

/** A node shuts down gracefully and is started again, as in a rolling restart. */
export function drainNode(nodes: readonly NodeProcess[]): FaultKind[1] {
	return (random) => {
		const node = random.pick(nodes);
		return fault('drain a node', async () => {
			await node.leave();
			await node.start();
		});
	};
}

export function fault(name: string, run: () => Promise<void>): Fault {
	return { name, loses: false, run };
}
