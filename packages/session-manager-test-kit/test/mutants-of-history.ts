import { isAddress, type StreamController, type StreamCreateOptions } from '@holdfast/session-manager/custom';
import type { StreamLimits } from '@holdfast/session-manager-test-kit';
import type { Mutant } from './mutant.ts';
import { altered, rewritten, StreamWrapper, streamsOnly } from './stream-wrapper.ts';

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
		let opens = true;
		const ongap = () => (opens ? undefined : options?.ongap?.());
		const attachment = await super.create(id, controller, { ...options, ongap });
		opens = false;
		return attachment;
	}
}

class ReopenedByLateEvents extends StreamWrapper {
	readonly #ended = new Set<string>();

	override send(ids: readonly string[] | undefined, data: string) {
		for (const id of ids ?? []) {
			if (this.#ended.delete(id)) this.inner.delete(id);
			if (data.endsWith(':end\n\n')) this.#ended.add(id);
		}
		return super.send(ids, data);
	}
}

class EndedWhileItIsKept extends StreamWrapper {
	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const unmarked = (event: string) => event.replace(/^(id: [^_\n]*)_-end/m, '$1');
		return super.create(id, isAddress(id) ? controller : rewritten(controller, unmarked), options);
	}
}

class AtLeastOnce extends StreamWrapper {
	readonly #last = new Map<string, Uint8Array>();

	override create(id: string, controller: StreamController, options?: StreamCreateOptions) {
		const last = this.#last.get(id);
		if (options?.lastEventId === undefined && last !== undefined) controller.enqueue(last);
		const enqueue = (chunk: Uint8Array) => {
			this.#last.set(id, chunk);
			controller.enqueue(chunk);
		};
		return super.create(id, altered(controller, { enqueue }), options);
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

/** Clients of one node that come back and are served wrongly. */
export const mutantsOfHistory: readonly Mutant[] = (
	[
		['what nobody holds is dropped', 'stream/waiting-delivered-once', () => new DroppingWhatWaits()],
		['all sessions share one store of events', 'stream/foreign-event-ids', () => new SharedStore()],
		['a stream is silent after a replay', 'stream/resume-other-peer', () => new SilentAfterReplay()],
		['a replay does not advance the client', 'stream/takeover-under-load', () => new StandingStill()],
		['events have no ids of their own', 'stream/event-ids', () => new OneIdForAll()],
		['a loss is passed over in silence', 'stream/gap-in-broadcasts', (limits?: StreamLimits) => new Silent(limits)],
		['the stream of a request never closes', 'stream/end-of-request', () => new EndlessRequests()],
		['a late event opens an ended stream again', 'stream/sent-after-end', () => new ReopenedByLateEvents()],
		[
			'a stream has ended only while its end is kept',
			'stream/ended-and-forgotten',
			(limits?: StreamLimits) => new EndedWhileItIsKept(limits),
		],
		['what was delivered is delivered again', 'stream/delivered-once', () => new AtLeastOnce()],
		['text that looks like the end ends a stream', 'stream/end-not-spoofed', () => new EndingEverything()],
		['a late detach frees the newest client’s stream', 'stream/late-detach', () => new LateDetach()],
		['a client that left still holds its stream', 'stream/has-until-detached', () => new NeverDetached()],
		['broadcasts before the first client are lost', 'stream/broadcasts-since', () => new Ignoring('since')],
		['nothing primes a stream', 'stream/prime-resumes', () => new Ignoring('prime')],
		['ids are written where none are wanted', 'stream/event-ids', () => new Ignoring('history')],
		['the last event id is not looked at', 'stream/resume-with-broadcasts', () => new Ignoring('lastEventId')],
		['history has no bound', 'stream/retention-events', () => new StreamWrapper()],
		['a client that does not read fills the memory', 'stream/slow-reader', () => new StreamWrapper()],
	] as const satisfies readonly (readonly [string, string, (limits?: StreamLimits) => StreamWrapper])[]
).map(([defect, fails, make]) => ({ defect, fails, factory: streamsOnly(make) }));
