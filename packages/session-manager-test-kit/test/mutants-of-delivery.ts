import { setImmediate } from 'node:timers/promises';
import {
	isAddress,
	isSessionStream,
	type StreamController,
	type StreamCreateOptions,
} from '@holdfast/session-manager/custom';
import type { Mutant } from './mutant.ts';
import { altered, rewritten, StreamWrapper, streamsOnly } from './stream-wrapper.ts';

class Refusing extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		if (this.inner.has(id) && !isAddress(id)) throw new Error('409 Conflict');
		return super.create(id, controller, options);
	}
}

class LeavingTheOldOpen extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		return super.create(id, altered(controller, { close() {} }), options);
	}
}

class AnyNumberOfHolders extends StreamWrapper {
	readonly #all = new Map<string, Set<StreamController>>();

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const all = this.#all.get(id) ?? new Set();
		this.#all.set(id, all.add(controller));
		const enqueue = (chunk: Uint8Array) => {
			for (const each of all) if (each.desiredSize !== null) each.enqueue(chunk);
		};
		return super.create(id, altered(controller, { enqueue, close() {} }), options);
	}
}

class NotDeleting extends StreamWrapper {
	override delete() {}
}

class DeletingByPrefix extends StreamWrapper {
	readonly #ids = new Set<string>();

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		this.#ids.add(id);
		return super.create(id, controller, options);
	}

	override delete(id: string) {
		for (const each of this.#ids) if (each.startsWith(id)) this.inner.delete(each);
	}
}

class OutlivingRequests extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		return super.create(id, isSessionStream(id) ? controller : altered(controller, { close() {} }), options);
	}
}

class ToEveryStream extends StreamWrapper {
	readonly #ids = new Set<string>();

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		if (!isSessionStream(id)) this.#ids.add(id);
		return super.create(id, controller, options);
	}

	override send(ids: readonly string[] | undefined, data: string) {
		if (ids === undefined) super.send([...this.#ids], data);
		return super.send(ids, data);
	}
}

class BroadcastingTwice extends StreamWrapper {
	override send(ids: readonly string[] | undefined, data: string) {
		if (ids === undefined) super.send(ids, data);
		return super.send(ids, data);
	}
}

class LosingLeases extends StreamWrapper {
	readonly #held: string[] = [];

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		if (isSessionStream(id)) this.#held.push(id);
		return super.create(id, controller, options);
	}

	override send(ids: readonly string[] | undefined, data: string) {
		return super.send(ids ?? this.#held.slice(0, 3), data);
	}
}

class OncePerMention extends StreamWrapper {
	override send(ids: readonly string[] | undefined, data: string) {
		if (ids === undefined) return super.send(ids, data);
		for (const id of ids) super.send([id], data);
	}
}

class Overtaking extends StreamWrapper {
	#sent = 0;

	override async send(ids: readonly string[] | undefined, data: string) {
		if (this.#sent++ % 5 === 0) await setImmediate();
		return super.send(ids, data);
	}
}

class TwoQueues extends StreamWrapper {
	override async send(ids: readonly string[] | undefined, data: string) {
		if (ids === undefined) await setImmediate();
		return super.send(ids, data);
	}
}

class GluingKeepAlives extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		return super.create(
			id,
			rewritten(controller, (event) => `${event}ping\n`),
			options,
		);
	}
}

class SplitChunks extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const enqueue = (chunk: Uint8Array) => {
			for (let from = 0; from < chunk.length; from += 512) controller.enqueue(chunk.slice(from, from + 512));
		};
		return super.create(id, altered(controller, { enqueue }), options);
	}
}

class SingleListener extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		if (isAddress(id)) this.inner.delete(id);
		return super.create(id, controller, options);
	}
}

class CaseInsensitive extends StreamWrapper {
	protected override idOf(id: string) {
		return id.toLowerCase();
	}
}

class CutIds extends StreamWrapper {
	protected override idOf(id: string) {
		return id.slice(0, 1_000);
	}
}

class StayingOpen extends StreamWrapper {
	override close() {}
}

/** A manager on which a client that is gone makes the sender fail. */
class ThrowingAtLostClients extends StreamWrapper {
	readonly #controllers = new Map<string, StreamController>();

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		this.#controllers.set(id, controller);
		return super.create(id, controller, options);
	}

	override send(ids: readonly string[] | undefined, data: string) {
		for (const id of ids ?? this.#controllers.keys()) {
			if (this.#controllers.get(id)?.desiredSize === null && this.inner.has(id))
				throw new TypeError('Controller is closed');
		}
		return super.send(ids, data);
	}
}

/** Messages and streams of one node that go where they should not. */
export const mutantsOfDelivery: readonly Mutant[] = (
	[
		['a second client of a stream is refused', 'stream/takeover-same-peer', () => new Refusing()],
		['the old client is left open', 'stream/takeover-same-peer', () => new LeavingTheOldOpen()],
		['several clients hold a stream and all are told', 'stream/takeover-same-peer', () => new AnyNumberOfHolders()],
		['delete closes nothing', 'stream/delete', () => new NotDeleting()],
		['delete matches all that begin with the id', 'stream/delete-session', () => new DeletingByPrefix()],
		['request streams outlive their session', 'stream/delete-session', () => new OutlivingRequests()],
		['a broadcast reaches request streams and addresses', 'stream/broadcast', () => new ToEveryStream()],
		['a broadcast is sent twice', 'stream/broadcast', () => new BroadcastingTwice()],
		['leases lapse while streams are open', 'stream/broadcast', () => new LosingLeases()],
		['a stream that is named twice hears twice', 'stream/targeted', () => new OncePerMention()],
		['messages overtake each other', 'stream/order', () => new Overtaking()],
		['broadcasts take another way than messages to one', 'stream/one-order', () => new TwoQueues()],
		['a keep-alive glues itself to the next event', 'stream/event-text', () => new GluingKeepAlives()],
		['large events are handed over in pieces', 'stream/chunks', () => new SplitChunks()],
		['an address has one listener', 'stream/address-listeners', () => new SingleListener()],
		['upper and lower case are one', 'stream/hostile-ids', () => new CaseInsensitive()],
		['long ids are cut', 'stream/hostile-ids', () => new CutIds()],
		['close leaves streams open', 'stream/close', () => new StayingOpen()],
		['a lost client makes others fail', 'stream/vanished-client', () => new ThrowingAtLostClients()],
	] as const
).map(([defect, fails, make]) => ({ defect, fails, factory: streamsOnly(make) }));
