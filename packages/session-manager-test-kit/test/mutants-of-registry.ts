import { setImmediate } from 'node:timers/promises';
import type { NodeRecord } from '@holdfast/session-manager/custom';
import { sampleRecord } from '@holdfast/session-manager-test-kit/own-cases';
import { InfoWrapper, infoOnly } from './info-wrapper.ts';
import type { Mutant } from './mutant.ts';

class AskingThenTaking extends InfoWrapper {
	override async acquireLease(name: string, holder: string, ttlMs: number) {
		const free = this.inner.acquireLease(name, holder, 0);
		await setImmediate();
		if (free) this.inner.acquireLease(name, holder, ttlMs);
		return free;
	}
}

class HoldingForEver extends InfoWrapper {
	override acquireLease(name: string, holder: string) {
		return super.acquireLease(name, holder, 1e12);
	}
}

class FirstTimeOnly extends InfoWrapper {
	readonly #taken = new Set<string>();

	override acquireLease(name: string, holder: string, ttlMs: number) {
		if (this.#taken.has(`${name} ${holder}`) && this.inner.acquireLease(name, `${holder}'s rival`, 0) === false)
			return true;
		this.#taken.add(`${name} ${holder}`);
		return super.acquireLease(name, holder, ttlMs);
	}
}

class ReleasingAnyones extends InfoWrapper {
	readonly #holders = new Map<string, string>();

	override acquireLease(name: string, holder: string, ttlMs: number) {
		const taken = super.acquireLease(name, holder, ttlMs);
		if (taken === true) this.#holders.set(name, holder);
		return taken;
	}

	override releaseLease(name: string) {
		super.releaseLease(name, this.#holders.get(name) ?? '');
	}
}

class LeasesAsSessions extends InfoWrapper {
	override acquireLease(name: string, holder: string) {
		return super.create(sampleRecord(` ${name}`, { initializeParams: { holder } }));
	}
}

class StayingListed extends InfoWrapper {
	override announceNode(node: NodeRecord) {
		super.announceNode(node, 1e12);
	}
}

class ListedAsBegun extends InfoWrapper {
	readonly #known = new Map<string, NodeRecord>();

	override announceNode(node: NodeRecord, ttlMs: number) {
		if (!this.#known.has(node.id)) this.#known.set(node.id, node);
		super.announceNode(this.#known.get(node.id) ?? node, ttlMs);
	}
}

/** Leases that several hold or nobody gets, and nodes that are listed wrongly. */
export const mutantsOfRegistry: readonly Mutant[] = (
	[
		['a lease is looked at before it is taken', 'info/lease', () => new AskingThenTaking()],
		['a lease never lapses', 'info/lease-lapses', () => new HoldingForEver()],
		['a lease is not prolonged when it is renewed', 'info/lease-lapses', () => new FirstTimeOnly()],
		['anybody can release a lease', 'info/lease-released', () => new ReleasingAnyones()],
		['a lease is stored as a session', 'info/lease-no-session', () => new LeasesAsSessions({ maxSessions: 2 })],
		['a node that is gone stays listed', 'info/nodes', () => new StayingListed()],
		['a node is listed as it first announced itself', 'info/nodes', () => new ListedAsBegun()],
	] as const
).map(([defect, fails, make]) => ({ defect, fails, factory: infoOnly(make) }));
