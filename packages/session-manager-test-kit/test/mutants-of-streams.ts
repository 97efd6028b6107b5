import { setImmediate } from 'node:timers/promises';
import { isAddress, isSessionStream, type StreamController, type StreamCreateOptions } from '@holdfast/session-manager';
import type { StreamLimits } from '@holdfast/session-manager-test-kit';
import type { Mutant } from './mutant.ts';
import { StreamWrapper, streamsOnly } from './stream-wrapper.ts';

/** `controller` with something done otherwise. */
function altered(controller: StreamController, change: Partial<StreamController>): StreamController {
	return {
		enqueue: (chunk) => controller.enqueue(chunk),
		close: () => controller.close(),
		get desiredSize() {
			return controller.desiredSize;
		},
		...change,
	};
}

function rewritten(controller: StreamController, rewrite: (event: string) => string): StreamController {
	const enqueue = (chunk: Uint8Array) =>
		controller.enqueue(new TextEncoder().encode(rewrite(new TextDecoder().decode(chunk))));
	return altered(controller, { enqueue });
}

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

class DroppingWhatWaits extends StreamWrapper {
	override send(ids: readonly string[] | undefined, data: string) {
		return super.send(
			ids?.filter((id) => this.inner.has(id)),
			data,
		);
	}
}

class SharedStore extends StreamWrapper {
	readonly #all: string[] = [];

	override send(ids: readonly string[] | undefined, data: string) {
		this.#all.push(data);
		return super.send(ids, data);
	}

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		if (options?.lastEventId !== undefined) {
			for (const data of this.#all) controller.enqueue(new TextEncoder().encode(data));
		}
		return super.create(id, controller, options);
	}
}

class SilentAfterReplay extends StreamWrapper {
	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const attachment = await super.create(id, controller, options);
		if (options?.lastEventId !== undefined) attachment.detach();
		return attachment;
	}
}

class StandingStill extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const stay = (event: string) => event.replace(/^id: .*$/m, `id: ${options?.lastEventId}`);
		const stays = options?.lastEventId !== undefined && /-/.test(options.lastEventId);
		return super.create(id, stays ? rewritten(controller, stay) : controller, options);
	}
}

class OneIdForAll extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const chunks: string[] = [];
		const first = (event: string) => {
			chunks.push(/^id: .*$/m.exec(event)?.[0] ?? '');
			return event.replace(/^id: .*$/m, chunks[0] ?? '');
		};
		return super.create(id, rewritten(controller, first), options);
	}
}

class Silent extends StreamWrapper {
	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const attachment = await super.create(id, controller, options);
		const { continuation } = attachment;
		return { continuation: continuation === 'gap' ? ('resumed' as const) : continuation, detach: attachment.detach };
	}
}

class EndlessRequests extends StreamWrapper {
	override send(ids: readonly string[] | undefined, data: string) {
		return super.send(ids, data.endsWith(':end\n\n') ? `${data.slice(0, -1)}:\n\n` : data);
	}
}

class EndingEverything extends StreamWrapper {
	override send(ids: readonly string[] | undefined, data: string) {
		const sent = super.send(ids, data);
		if (data.includes(':end')) for (const id of ids ?? []) this.inner.delete(id);
		return sent;
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

class LateDetach extends StreamWrapper {
	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const { continuation, detach } = await super.create(id, controller, options);
		return {
			continuation,
			detach: () => {
				detach();
				this.inner.delete(id);
			},
		};
	}
}

class NeverDetached extends StreamWrapper {
	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const { continuation } = await super.create(id, controller, options);
		return { continuation, detach() {} };
	}
}

/** A manager that leaves out one option of `create`. */
class Ignoring extends StreamWrapper {
	readonly #option: keyof StreamCreateOptions;

	constructor(option: keyof StreamCreateOptions, limits?: StreamLimits) {
		super(limits);
		this.#option = option;
	}

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const kept = Object.entries(options ?? {}).filter(([name]) => name !== this.#option);
		return super.create(id, controller, Object.fromEntries(kept));
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

/** Streams of one node that are kept wrongly. */
export const mutantsOfStreams: readonly Mutant[] = (
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
		['what nobody holds is dropped', 'stream/waiting-delivered-once', () => new DroppingWhatWaits()],
		['all sessions share one store of events', 'stream/foreign-event-ids', () => new SharedStore()],
		['a stream is silent after a replay', 'stream/resume-other-peer', () => new SilentAfterReplay()],
		['a replay does not advance the client', 'stream/takeover-under-load', () => new StandingStill()],
		['events have no ids of their own', 'stream/event-ids', () => new OneIdForAll()],
		['a loss is passed over in silence', 'stream/gap-in-broadcasts', (limits?: StreamLimits) => new Silent(limits)],
		['the stream of a request never closes', 'stream/end-of-request', () => new EndlessRequests()],
		['text that looks like the end ends a stream', 'stream/end-not-spoofed', () => new EndingEverything()],
		['a keep-alive glues itself to the next event', 'stream/event-text', () => new GluingKeepAlives()],
		['large events are handed over in pieces', 'stream/chunks', () => new SplitChunks()],
		['a late detach frees the newest client’s stream', 'stream/late-detach', () => new LateDetach()],
		['a client that left still holds its stream', 'stream/has-until-detached', () => new NeverDetached()],
		['broadcasts before the first client are lost', 'stream/broadcasts-since', () => new Ignoring('since')],
		['nothing primes a stream', 'stream/prime-resumes', () => new Ignoring('prime')],
		['ids are written where none are wanted', 'stream/event-ids', () => new Ignoring('history')],
		['the last event id is not looked at', 'stream/resume-with-broadcasts', () => new Ignoring('lastEventId')],
		['an address has one listener', 'stream/address-listeners', () => new SingleListener()],
		['upper and lower case are one', 'stream/hostile-ids', () => new CaseInsensitive()],
		['long ids are cut', 'stream/hostile-ids', () => new CutIds()],
		['close leaves streams open', 'stream/close', () => new StayingOpen()],
		['a lost client makes others fail', 'stream/vanished-client', () => new ThrowingAtLostClients()],
		['history has no bound', 'stream/retention-events', () => new StreamWrapper()],
		['a client that does not read fills the memory', 'stream/slow-reader', () => new StreamWrapper()],
	] as const satisfies readonly (readonly [string, string, (limits?: StreamLimits) => StreamWrapper])[]
).map(([defect, fails, make]) => ({ defect, fails, factory: streamsOnly(make) }));
