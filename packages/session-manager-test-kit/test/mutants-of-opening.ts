import { setImmediate } from 'node:timers/promises';
import {
	END_OF_STREAM,
	isAddress,
	isSessionStream,
	type StreamAttachment,
	type StreamController,
	type StreamCreateOptions,
} from '@holdfast/session-manager/custom';
import type { Mutant } from './mutant.ts';
import { altered, StreamWrapper, streamsOnly } from './stream-wrapper.ts';

const textOf = (chunk: Uint8Array) => new TextDecoder().decode(chunk);

class HeldByRequests extends StreamWrapper {
	readonly #ids = new Set<string>();

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		this.#ids.add(id);
		return super.create(id, controller, options);
	}

	override has(id: string) {
		return [...this.#ids].some((each) => each.startsWith(id) && this.inner.has(each));
	}
}

class HeldByPrototype extends StreamWrapper {
	override has(id: string) {
		return id in {} || super.has(id);
	}
}

class OneAtATime extends StreamWrapper {
	#controller: StreamController | undefined;

	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		this.#controller = controller;
		await setImmediate();
		return super.create(id, this.#controller, options);
	}
}

/** A manager that looks who holds a stream, and closes that one a little later. */
class CheckThenTake extends StreamWrapper {
	readonly #holders = new Map<string, Set<StreamController>>();

	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const holders = this.#holders.get(id) ?? new Set();
		this.#holders.set(id, holders);
		const before = [...holders];
		await setImmediate();
		for (const each of before) {
			holders.delete(each);
			if (each.desiredSize !== null) each.close();
		}
		holders.add(controller);
		const enqueue = (chunk: Uint8Array) => {
			for (const each of holders) if (each.desiredSize !== null) each.enqueue(chunk);
		};
		return super.create(id, altered(controller, { enqueue, close() {} }), options);
	}
}

class WrittenIsReceived extends StreamWrapper {
	readonly #written = new Map<string, string>();

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const lastEventId = this.#written.get(id);
		const enqueue = (chunk: Uint8Array) => {
			this.#written.set(id, /^id: (.*)$/m.exec(textOf(chunk))?.[1] ?? '');
			controller.enqueue(chunk);
		};
		const known = options?.lastEventId !== undefined && lastEventId !== undefined;
		return super.create(
			id,
			altered(controller, { enqueue, desiredSize: 1 }),
			known ? { ...options, lastEventId } : options,
		);
	}
}

/** A manager that takes a client which could not be told of a gap for one that was. */
class ToldOnce extends StreamWrapper {
	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		try {
			return await super.create(id, controller, options);
		} catch (error) {
			(await super.create(id, { enqueue() {}, close() {}, desiredSize: 1 })).detach();
			throw error;
		}
	}
}

/** A manager that begins where the previous client did, as if it had got nothing. */
class BeginningWithThePrevious extends StreamWrapper {
	readonly #begins = new Map<string, string>();

	override create(id: string, controller: StreamController, options: StreamCreateOptions = {}) {
		const lastEventId = this.#begins.get(id);
		const enqueue = (chunk: Uint8Array) => {
			if (!this.#begins.has(id)) this.#begins.set(id, /^id: (.*)$/m.exec(textOf(chunk))?.[1] ?? '');
			controller.enqueue(chunk);
		};
		const known = options.lastEventId === undefined && lastEventId !== undefined;
		return super.create(id, altered(controller, { enqueue }), known ? { ...options, lastEventId } : options);
	}
}

class NotNoticing extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const enqueue = (chunk: Uint8Array) => {
			if (controller.desiredSize !== null) controller.enqueue(chunk);
		};
		return super.create(id, { enqueue, close: () => controller.close(), desiredSize: 1 }, options);
	}
}

class NotResumable extends StreamWrapper {
	override get resumable() {
		return false;
	}
}

class DeafWhileOpening extends StreamWrapper {
	readonly #opening = new Set<string>();

	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		this.#opening.add(id);
		await setImmediate();
		this.#opening.delete(id);
		return super.create(id, controller, options);
	}

	override send(ids: readonly string[] | undefined, data: string) {
		return super.send(
			ids?.filter((id) => !this.#opening.has(id)),
			data,
		);
	}
}

class BroadcastingToThoseThere extends StreamWrapper {
	readonly #ids = new Set<string>();

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		if (isSessionStream(id)) this.#ids.add(id);
		return super.create(id, controller, options);
	}

	override send(ids: readonly string[] | undefined, data: string) {
		return super.send(ids ?? [...this.#ids].filter((id) => this.inner.has(id)), data);
	}
}

class KeptPrimes extends StreamWrapper {
	override async create(id: string, controller: StreamController, options: StreamCreateOptions = {}) {
		const { prime, ...others } = options;
		const attachment = await super.create(id, controller, others);
		if (prime !== undefined) super.send([id], prime);
		return attachment;
	}
}

class BeginningAnew extends StreamWrapper {
	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const attachment = await super.create(id, controller, options);
		return attachment.continuation === 'ended' ? { ...attachment, continuation: 'fresh' as const } : attachment;
	}
}

class EndingThoseThere extends StreamWrapper {
	override send(ids: readonly string[] | undefined, data: string) {
		const ends = data.endsWith(`${END_OF_STREAM}\n\n`) && ids?.every((id) => !this.inner.has(id));
		return super.send(ids, ends ? data.replace(`${END_OF_STREAM}\n`, '') : data);
	}
}

class ClosingOnly extends StreamWrapper {
	readonly #held = new Map<string, { controller: StreamController; attachment: StreamAttachment }>();

	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const attachment = await super.create(id, controller, options);
		this.#held.set(id, { controller, attachment });
		return attachment;
	}

	override delete(id: string) {
		const held = this.#held.get(id);
		if (held?.controller.desiredSize !== null) held?.controller.close();
		held?.attachment.detach();
	}
}

class ListeningOn extends StreamWrapper {
	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const attachment = await super.create(id, altered(controller, { desiredSize: 1 }), options);
		return isAddress(id) ? { ...attachment, detach() {} } : attachment;
	}
}

class DeletingNoAddress extends StreamWrapper {
	override delete(id: string) {
		if (!isAddress(id)) this.inner.delete(id);
	}
}

class StoppingAtFailures extends StreamWrapper {
	readonly #listeners: StreamController[] = [];

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		if (isAddress(id)) this.#listeners.push(controller);
		return super.create(id, isAddress(id) ? altered(controller, { enqueue() {} }) : controller, options);
	}

	override send(ids: readonly string[] | undefined, data: string) {
		if (!ids?.some(isAddress)) return super.send(ids, data);
		for (const listener of this.#listeners) listener.enqueue(new TextEncoder().encode(data));
	}
}

class SmallNotices extends StreamWrapper {
	override send(ids: readonly string[] | undefined, data: string) {
		if (Buffer.byteLength(data) >= 8_000) throw new Error('payload string too long');
		return super.send(ids, data);
	}
}

/** Streams of one node that are opened, held and left wrongly. */
export const mutantsOfOpening: readonly Mutant[] = (
	[
		['a session is held where one of its requests is', 'stream/has', () => new HeldByRequests()],
		['names that every object has are held', 'stream/unknown-ids', () => new HeldByPrototype()],
		['streams that are opened at the same time are mixed up', 'stream/same-time', () => new OneAtATime()],
		['who holds a stream is looked up before it is taken', 'stream/takeover-race', () => new CheckThenTake()],
		['what was written counts as received', 'stream/takeover-of-vanished-client', () => new WrittenIsReceived()],
		['a gap counts as told once that was tried', 'stream/gap-untold', () => new ToldOnce()],
		['what was written counts for nothing', 'stream/takeover-confirmed', () => new BeginningWithThePrevious()],
		['a client that vanished is never noticed', 'stream/vanished-client-noticed', () => new NotNoticing()],
		['what is resumable says that it is not', 'stream/resumable', () => new NotResumable()],
		['what is sent while a stream opens is lost', 'stream/sent-while-opening', () => new DeafWhileOpening()],
		['a broadcast is for those who are there', 'stream/broadcast-waits', () => new BroadcastingToThoseThere()],
		['a prime is kept like a message', 'stream/prime-not-kept', () => new KeptPrimes()],
		['a request that is over begins anew', 'stream/ended', () => new BeginningAnew()],
		['the end is for those who are there', 'stream/end-while-away', () => new EndingThoseThere()],
		['delete closes a stream and keeps its history', 'stream/delete-forgets', () => new ClosingOnly()],
		['a listener that left still hears', 'stream/address-left', () => new ListeningOn()],
		['delete knows no addresses', 'stream/address-deleted', () => new DeletingNoAddress()],
		['a listener that fails stops the others', 'stream/address-failing-listener', () => new StoppingAtFailures()],
		['notices over 8,000 bytes fail', 'stream/event-text', () => new SmallNotices()],
	] as const
).map(([defect, fails, make]) => ({ defect, fails, factory: streamsOnly(make) }));
