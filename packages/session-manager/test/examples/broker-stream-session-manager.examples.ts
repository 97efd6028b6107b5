import {
	type BrokerMessage,
	BrokerStreamSessionManager,
	type BrokerStreamSessionManagerOptions,
} from '@holdfast/session-manager/custom';

interface Broker {
	onmessage: (channel: string, message: BrokerMessage) => void;
	ondown: () => void;
	onup: () => void;
	publish(channels: readonly string[], message: BrokerMessage): Promise<void>;
	subscribe(channels: readonly string[]): Promise<void>;
	unsubscribe(channels: readonly string[]): Promise<void>;
}

//#region skeleton
export abstract class MyStreamSessionManager extends BrokerStreamSessionManager {
	readonly #broker: Broker;

	constructor(broker: Broker, options?: BrokerStreamSessionManagerOptions) {
		super(options);
		this.#broker = broker;
		broker.onmessage = (channel, message) => this.received(channel, message);
		broker.ondown = () => this.interrupted();
		broker.onup = () => void broker.subscribe(this.subscribedChannels).then(() => this.restored());
	}

	protected publish(addresses: readonly string[], data: string): Promise<void> {
		return this.#broker.publish(addresses, { type: 'event', offset: 0, data });
	}

	protected subscribe(channel: string): Promise<void> {
		return this.#broker.subscribe([channel]);
	}

	protected unsubscribe(channel: string): Promise<void> {
		return this.#broker.unsubscribe([channel]);
	}

	// attach, readBroadcasts, detach, append, appendBroadcast, lastBroadcast, forget and isHeard follow: each is one
	// atomic command.
}
//#endregion skeleton
