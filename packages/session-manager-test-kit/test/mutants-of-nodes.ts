import { setImmediate } from 'node:timers/promises';
import type { BrokerAttached, BrokerMessage, BrokerPosition, StreamPosition } from '@holdfast/session-manager/custom';
import type { StreamLimits } from '@holdfast/session-manager-test-kit';
import { brokered } from './broker-factory.ts';
import type { Mutant } from './mutant.ts';
import { ToyBroker } from './toy-broker.ts';
import { ToyBrokerManager } from './toy-broker-manager.ts';

type Attach = [id: string, token: string, after: Partial<BrokerPosition>, keep: boolean, since?: StreamPosition];

/** A broker on which some messages are not told. */
class Forgetful extends ToyBroker {
	readonly #forgets: BrokerMessage['type'];

	constructor(forgets: BrokerMessage['type']) {
		super();
		this.#forgets = forgets;
	}

	override publish(channel: string, message: BrokerMessage): number {
		return message.type === this.#forgets ? 1 : super.publish(channel, message);
	}
}

class Doubling extends ToyBroker {
	override publish(channel: string, message: BrokerMessage): number {
		if (channel.startsWith(' ')) super.publish(channel, message);
		return super.publish(channel, message);
	}
}

class NeverBack extends ToyBrokerManager {
	override reconnect(): void {}
}

class ClosingAtOutages extends ToyBrokerManager {
	override disconnect(): void {
		super.disconnect();
		void this.close();
	}
}

class RawErrors extends ToyBrokerManager {
	protected override append(ids: readonly string[], data: string): Promise<(number | undefined)[]> {
		return super.append(ids, data).catch(() => {
			throw new Error('ECONNREFUSED');
		});
	}
}

class TakingWhatIsLost extends ToyBrokerManager {
	protected override append(ids: readonly string[], data: string): Promise<(number | undefined)[]> {
		return super.append(ids, data).catch(() => []);
	}
}

class OneEpoch extends ToyBrokerManager {
	protected override async attach(
		id: string,
		token: string,
		after: Partial<BrokerPosition>,
		keep: boolean,
		since?: StreamPosition,
	): Promise<BrokerAttached> {
		const { own, broadcasts, ...attached } = await super.attach(id, token, after, keep, since);
		return { ...attached, own: { ...own, gap: false }, broadcasts: { ...broadcasts, gap: false } };
	}
}

class EndingForAll extends ToyBrokerManager {
	readonly #ids = new Set<string>();

	protected override async subscribe(channel: string): Promise<void> {
		this.#ids.add(channel);
		await super.subscribe(channel);
	}

	override async close(): Promise<void> {
		for (const id of this.#ids) if (id !== ' ') this.forget(id);
		await super.close();
	}
}

class DeafBeforeItTells extends ToyBrokerManager {
	protected override forget(id: string): void {
		this.unsubscribe(id);
		super.forget(id);
	}
}

class WaitingForTheBroker extends ToyBrokerManager {
	#isBack = Promise.resolve();
	#goOn = () => {};

	override disconnect(): void {
		super.disconnect();
		this.#isBack = new Promise((resolve) => {
			this.#goOn = resolve;
		});
	}

	override reconnect(): void {
		super.reconnect();
		this.#goOn();
	}

	override async close(): Promise<void> {
		await this.#isBack;
		await super.close();
	}
}

class RepliesInAnyOrder extends ToyBrokerManager {
	#appends = 0;

	protected override async append(ids: readonly string[], data: string): Promise<(number | undefined)[]> {
		const isFirst = this.#appends++ % 2 === 0;
		const offsets = await super.append(ids, data);
		if (isFirst) await setImmediate();
		return offsets;
	}
}

/** A broker that passes on later than it replies. */
class Slow extends ToyBroker {
	override publish(channel: string, message: BrokerMessage): number {
		const later = (async () => {
			for (let turn = 0; turn < 5; turn++) await setImmediate();
		})();
		void later.then(() => super.publish(channel, message));
		return this.hearing.get(channel)?.size ?? 0;
	}
}

/** A broker that passes takeovers on later than events. */
class LateTakeovers extends ToyBroker {
	override publish(channel: string, message: BrokerMessage): number {
		if (message.type !== 'taken') return super.publish(channel, message);
		const later = (async () => {
			for (let turn = 0; turn < 5; turn++) await setImmediate();
		})();
		void later.then(() => super.publish(channel, message));
		return 1;
	}
}

class AnnouncingInVain extends ToyBrokerManager {
	readonly #toy: ToyBroker;

	constructor(broker: ToyBroker, limits?: StreamLimits) {
		super(broker, limits);
		this.#toy = broker;
	}

	protected override async attach(...[id, token, after, keep, since]: Attach): Promise<BrokerAttached> {
		const attached = await super.attach(id, token, after, keep, since);
		if (attached.outcome === 'superseded') this.#toy.publish(id, { type: 'taken', order: ++this.#toy.takeovers });
		return attached;
	}
}

class ForgettingTheSessionOnly extends ToyBroker {
	override publish(channel: string, message: BrokerMessage): number {
		return message.type === 'over' && channel.includes(' ') ? 0 : super.publish(channel, message);
	}
}

class Certain extends ToyBrokerManager {
	protected override async attach(...[id, token, after, keep, since]: Attach): Promise<BrokerAttached> {
		const attached = await super.attach(id, token, after, keep, since);
		return after.own === undefined ? { ...attached, own: { ...attached.own, gap: false } } : attached;
	}
}

class OneOrder extends ToyBrokerManager {
	protected override async attach(...[id, token, after, keep, since]: Attach): Promise<BrokerAttached> {
		return { ...(await super.attach(id, token, after, keep, since)), order: 1 };
	}
}

/** A broker that says of each takeover that it was before all others. */
class OldTakeovers extends ToyBroker {
	override publish(channel: string, message: BrokerMessage): number {
		return super.publish(channel, message.type === 'taken' ? { type: 'taken', order: 0 } : message);
	}
}

const forgetful = (forgets: BrokerMessage['type']) => brokered({ makeBroker: () => new Forgetful(forgets) });

/** What goes wrong between nodes, and while their backend is away. */
export const mutantsOfNodes: readonly Mutant[] = [
	{
		defect: 'a takeover is not told to the node that held the stream',
		fails: 'stream/takeover-other-peer',
		factory: forgetful('taken'),
	},
	{
		defect: 'the end of a stream is not told to the node that holds it',
		fails: 'stream/delete',
		factory: forgetful('over'),
	},
	{
		defect: 'a node that deletes its own stream is deaf before it tells itself',
		fails: 'stream/delete',
		factory: brokered({ make: (broker, limits) => new DeafBeforeItTells(broker, limits) }),
	},
	{ defect: 'messages stay on the node that sent them', fails: 'stream/order', factory: forgetful('event') },
	{
		defect: 'a node hears addresses and broadcasts twice',
		fails: 'stream/address-listeners',
		factory: brokered({ makeBroker: () => new Doubling() }),
	},
	{
		defect: 'a takeover is told later than the events after it',
		fails: 'stream/takeover-race',
		factory: brokered({ makeBroker: () => new LateTakeovers() }),
	},
	{
		defect: 'a node that did not get a stream announces that it has it',
		fails: 'stream/cut-off-taken-over',
		factory: brokered({ make: (broker, limits) => new AnnouncingInVain(broker, limits) }),
	},
	{
		defect: 'the end of a session is told to its session stream only',
		fails: 'stream/delete-session',
		factory: brokered({ makeBroker: () => new ForgettingTheSessionOnly() }),
	},
	{
		defect: 'replies of the broker overtake each other',
		fails: 'stream/order-of-request',
		factory: brokered({
			make: (broker, limits) => new RepliesInAnyOrder(broker, limits),
			makeBroker: () => new Slow(),
		}),
	},
	{
		defect: 'what another node delivered counts as received',
		fails: 'stream/takeover-unconfirmed',
		factory: brokered({ make: (broker, limits) => new Certain(broker, limits) }),
	},
	{
		defect: 'a holder takes what it hears of its own takeover for that of another',
		fails: 'stream/takeover-other-peer',
		factory: brokered({ make: (broker, limits) => new OneOrder(broker, limits) }),
	},
	{
		defect: 'a takeover does not come after that of the holder before',
		fails: 'stream/takeover-other-peer',
		factory: brokered({ makeBroker: () => new OldTakeovers() }),
	},
	{
		defect: 'subscriptions are not restored after an outage',
		fails: 'stream/outage-ends',
		factory: brokered({ make: (broker, limits) => new NeverBack(broker, limits) }),
	},
	{
		defect: 'an outage ends every stream',
		fails: 'stream/outage-refuses',
		factory: brokered({ make: (broker, limits) => new ClosingAtOutages(broker, limits) }),
	},
	{
		defect: 'an outage shows as whatever the client of the database throws',
		fails: 'stream/outage-refuses',
		factory: brokered({ make: (broker, limits) => new RawErrors(broker, limits) }),
	},
	{
		defect: 'what could not be sent counts as sent',
		fails: 'stream/outage-refuses',
		factory: brokered({ make: (broker, limits) => new TakingWhatIsLost(broker, limits) }),
	},
	{
		defect: 'close waits for a backend that is away',
		fails: 'stream/outage-close',
		factory: brokered({ make: (broker, limits) => new WaitingForTheBroker(broker, limits) }),
	},
	{
		defect: 'event ids of a store that lost its data are taken for its own',
		fails: 'stream/data-loss',
		factory: brokered({ make: (broker, limits) => new OneEpoch(broker, limits) }),
	},
	{
		defect: 'a node that closes ends the streams of others',
		fails: 'stream/close-of-one-node',
		factory: brokered({ make: (broker, limits) => new EndingForAll(broker, limits) }),
	},
];
