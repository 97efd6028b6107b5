import { Buffer } from 'node:buffer';
import type { StreamController, StreamCreateOptions } from '@holdfast/session-manager/custom';
import type { StreamLimits } from '@holdfast/session-manager-test-kit';
import type { Mutant } from './mutant.ts';
import { StreamWrapper, streamsOnly } from './stream-wrapper.ts';

/** A manager that has no bound of one kind. */
class Unbounded extends StreamWrapper {
	constructor(bound: 'maxBytes' | 'maxAgeMs', limits: StreamLimits = {}) {
		super({ ...limits, history: { ...limits.history, [bound]: Number.MAX_SAFE_INTEGER } });
	}
}

/** A manager that refuses what would pass the bound of all that it ever was sent, or of one event. */
class Refusing extends StreamWrapper {
	readonly #maxBytes: number;
	readonly #counts: boolean;
	#bytes = 0;

	constructor(counts: boolean, limits?: StreamLimits) {
		super(limits);
		this.#maxBytes = limits?.history?.maxBytes ?? Number.POSITIVE_INFINITY;
		this.#counts = counts;
	}

	override send(ids: readonly string[] | undefined, data: string) {
		const bytes = Buffer.byteLength(data);
		if (this.#counts) this.#bytes += bytes;
		if (this.#bytes + (this.#counts ? 0 : bytes) > this.#maxBytes) return;
		return super.send(ids, data);
	}
}

class SilentToNewcomers extends StreamWrapper {
	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		let opens = options?.lastEventId === undefined;
		const ongap = () => (opens ? undefined : options?.ongap?.());
		const attachment = await super.create(id, controller, { ...options, ongap });
		opens = false;
		return attachment;
	}
}

/** A manager that believes whatever name it is told. */
class Credulous extends StreamWrapper {
	override async create(id: string, controller: StreamController, options: StreamCreateOptions = {}) {
		const attachment = await super.create(id, controller, options);
		if (attachment.continuation !== 'unknown') return attachment;
		const { lastEventId: _, ...rest } = options;
		await options.ongap?.();
		return super.create(id, controller, rest);
	}
}

class GapForAll extends StreamWrapper {
	readonly #maxEvents: number;
	#sent = 0;

	constructor(limits?: StreamLimits) {
		super(limits);
		this.#maxEvents = limits?.history?.maxEvents ?? Number.POSITIVE_INFINITY;
	}

	override send(ids: readonly string[] | undefined, data: string) {
		this.#sent++;
		return super.send(ids, data);
	}

	override async create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const attachment = await super.create(id, controller, options);
		if (attachment.continuation === 'resumed' && this.#sent > this.#maxEvents) await options?.ongap?.();
		return attachment;
	}
}

class ToldTooLate extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const ongap = () => void setImmediate(() => Promise.resolve(options?.ongap?.()).catch(() => {}));
		return super.create(id, controller, { ...options, ongap });
	}
}

class DeafToRejections extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const ongap = async () => {
			await Promise.resolve(options?.ongap?.()).catch(() => {});
		};
		return super.create(id, controller, { ...options, ongap });
	}
}

/** History that is kept too long, too short, or told of wrongly. */
export const mutantsOfRetention: readonly Mutant[] = (
	[
		['the bytes of history have no bound', 'stream/retention-bytes', (limits) => new Unbounded('maxBytes', limits)],
		['history is kept for ever', 'stream/retention-age', (limits) => new Unbounded('maxAgeMs', limits)],
		['an event over the bound is not taken', 'stream/retention-newest', (limits) => new Refusing(false, limits)],
		['what aged out still counts', 'stream/retention-after-age', (limits) => new Refusing(true, limits)],
		['a client is told of its gap after what is left', 'stream/gap-awaited', (limits) => new ToldTooLate(limits)],
		['who did not learn of a gap gets what is left', 'stream/gap-awaited', (limits) => new DeafToRejections(limits)],
		['only who resumes hears of a loss', 'stream/gap-before-first-client', (limits) => new SilentToNewcomers(limits)],
		['a request stream that never was begins', 'stream/unknown-request', () => new Credulous()],
		['one session’s loss is told to all', 'stream/no-gap-from-others', (limits) => new GapForAll(limits)],
	] as const satisfies readonly (readonly [string, string, (limits?: StreamLimits) => StreamWrapper])[]
).map(([defect, fails, make]) => ({ defect, fails, factory: streamsOnly(make) }));
