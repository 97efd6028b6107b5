import { BrokerStreamSessionManager } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { expect, it } from 'vitest';

const slice = { epoch: 'e', start: 0, events: [], gap: false };
const clock = new ManualClock(0);

/** A backend each of whose hooks throws once it is broken. */
class BrokenBroker extends BrokerStreamSessionManager {
	isBroken = false;

	constructor() {
		super({ clock });
	}

	#work<T>(result: T): T {
		if (this.isBroken) throw new Error('out of order');
		return result;
	}

	protected attach = () => this.#work({ outcome: 'taken' as const, order: 1, own: slice, broadcasts: slice });
	protected detach = () => this.#work(undefined);
	protected append = (ids: readonly string[]) => this.#work(ids.map((_, index) => index));
	protected appendBroadcast = () => this.#work(undefined);
	protected readBroadcasts = () => this.#work(slice);
	protected lastBroadcast = () => this.#work({ epoch: 'e', offset: 0 });
	protected publish = () => this.#work(undefined);
	protected forget = () => this.#work(undefined);
	protected subscribe = () => this.#work(undefined);
	protected unsubscribe = () => this.#work(undefined);
	protected isHeard = () => this.#work(true);

	reconnect(): void {
		this.interrupted();
		this.restored();
	}
}

it('hooks that throw in the background, and a handler that throws too, reach nobody but the handler', async () => {
	const streams = new BrokenBroker();
	const heard: string[] = [];
	streams.onerror = ({ message }) => {
		heard.push(message);
		throw new Error('the handler fails, too');
	};
	const controller = { enqueue() {}, close() {}, desiredSize: 1 };
	const gap = () => {
		throw new Error('no gap');
	};
	const stream = await streams.create('s', controller);
	const address = await streams.create(' node', controller, { history: false, ongap: gap });
	streams.isBroken = true;
	streams.reconnect();
	for (let turn = 0; turn < 20; turn++) await Promise.resolve();
	clock.advance(10_000);
	address.detach();
	stream.detach();
	for (let turn = 0; turn < 20; turn++) await Promise.resolve();
	expect(heard).toContain('no gap');
	expect(heard.filter((message) => message === 'out of order').length).toBeGreaterThanOrEqual(3);
	await streams.close();
});
