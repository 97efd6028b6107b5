import {
	type BrokerAttached,
	type BrokerPosition,
	isAddress,
	SessionManagerError,
	type StreamController,
	type StreamCreateOptions,
	type StreamPosition,
} from '@holdfast/session-manager/custom';
import type { ManagerFactory } from '@holdfast/session-manager-test-kit';
import { brokered } from './broker-factory.ts';
import type { Mutant } from './mutant.ts';
import { ToyBroker } from './toy-broker.ts';
import { ToyBrokerManager } from './toy-broker-manager.ts';

type Attach = [id: string, token: string, after: Partial<BrokerPosition>, keep: boolean, since?: StreamPosition];

class Queueing extends ToyBrokerManager {
	protected override async append(ids: readonly string[], data: string): Promise<(number | undefined)[]> {
		return this.away ? [] : super.append(ids, data);
	}
}

class OnlyWhatIsNew extends ToyBrokerManager {
	protected override async attach(...[id, token, after, keep, since]: Attach): Promise<BrokerAttached> {
		const attached = await super.attach(id, token, after, keep, since);
		return keep ? { ...attached, own: { ...attached.own, events: [] } } : attached;
	}
}

/** A manager that takes a stream only from a node that can be reached. */
class AskingFirst extends ToyBrokerManager {
	static readonly #holders = new Map<string, AskingFirst>();

	protected override async attach(...[id, token, after, keep, since]: Attach): Promise<BrokerAttached> {
		const holder = AskingFirst.#holders.get(id);
		if (holder?.away === true) throw new SessionManagerError('unavailable', 'The holder does not answer.');
		AskingFirst.#holders.set(id, this);
		return super.attach(id, token, after, keep, since);
	}
}

class TakingBack extends ToyBrokerManager {
	protected override async attach(...[id, token, after, , since]: Attach): Promise<BrokerAttached> {
		return super.attach(id, token, after, false, since);
	}
}

class PassingOverGaps extends ToyBrokerManager {
	protected override async attach(...[id, token, after, keep, since]: Attach): Promise<BrokerAttached> {
		const attached = await super.attach(id, token, after, keep, since);
		return keep ? { ...attached, own: { ...attached.own, gap: false } } : attached;
	}
}

class TellingInPassing extends ToyBrokerManager {
	override create(id: string, controller: StreamController, options: StreamCreateOptions = {}) {
		const ongap = () => void Promise.resolve(options.ongap?.()).catch(() => {});
		return super.create(id, controller, { ...options, ongap });
	}
}

class SilentAddresses extends ToyBrokerManager {
	override create(id: string, controller: StreamController, options: StreamCreateOptions = {}) {
		const { ongap: _, ...others } = options;
		return super.create(id, controller, isAddress(id) ? others : options);
	}
}

class ForgettingWhoHears extends ToyBroker {
	override forget(): void {
		super.forget();
		this.hearing.clear();
	}
}

/** Nodes over a broker that has all in memory. */
function inMemoryOnly(): ManagerFactory {
	const healthy = brokered();
	return {
		...healthy,
		async createPeers(count, limits) {
			const group = await healthy.createPeers(count, limits);
			const restart = async () => {
				await group.backend?.restart?.();
				await group.backend?.loseData?.();
			};
			return { ...group, backend: { ...group.backend, restart } };
		},
	};
}

/** What goes wrong while a node is cut off, and after a backend lost what it had. */
export const mutantsOfPartition: readonly Mutant[] = [
	...(
		[
			['a node that is cut off takes what it cannot send', 'stream/cut-off-refuses', Queueing],
			['a node that is back hears only what is new', 'stream/cut-off-filled', OnlyWhatIsNew],
			['a stream is taken only from a node that answers', 'stream/cut-off-taken-over', AskingFirst],
			['a node that is back takes its streams again', 'stream/cut-off-deleted', TakingBack],
			['a gap in an open stream is passed over', 'stream/cut-off-gap', PassingOverGaps],
			['nobody waits until a client heard of a gap', 'stream/cut-off-gap-awaited', TellingInPassing],
			['listeners are not told what they may have missed', 'stream/cut-off-listener', SilentAddresses],
		] as const
	).map(([defect, fails, Manager]) => ({
		defect,
		fails,
		factory: brokered({ make: (broker, limits) => new Manager(broker, limits) }),
	})),
	{ defect: 'what waits for a client is kept in memory only', fails: 'stream/restart', factory: inMemoryOnly() },
	{
		defect: 'who hears is lost with the data',
		fails: 'stream/data-loss-goes-on',
		factory: brokered({ makeBroker: () => new ForgettingWhoHears() }),
	},
];
