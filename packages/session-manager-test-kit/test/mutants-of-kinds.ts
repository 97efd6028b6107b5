import { setImmediate } from 'node:timers/promises';
import { SessionManagerError } from '@holdfast/session-manager';
import type { SessionLimits, SessionRecord } from '@holdfast/session-manager/custom';
import { InfoWrapper, infoOnly } from './info-wrapper.ts';
import type { Mutant } from './mutant.ts';

class ForgettingKinds extends InfoWrapper {
	override create({ kind: _, ...record }: SessionRecord, limits?: SessionLimits) {
		return super.create(record, limits);
	}
}

class KeepingForEver extends InfoWrapper {
	override create(record: SessionRecord, limits?: SessionLimits) {
		return super.create(record.kind === undefined ? record : { ...record, idleTtlMs: undefined }, limits);
	}
}

/** Records of kinds are added to what a scan of sessions finds. */
class ScanningAll extends InfoWrapper {
	readonly #others: string[] = [];

	override create(record: SessionRecord, limits?: SessionLimits) {
		if (record.kind !== undefined) this.#others.push(record.id);
		return super.create(record, limits);
	}

	override scan(cursor: string | undefined, limit: number) {
		const page = this.inner.scan(cursor, limit);
		const others = this.#others.map((id) => this.inner.read(id)).filter((record) => record !== undefined);
		return page.cursor === undefined ? { records: [...page.records, ...others] } : page;
	}
}

/** There is one limit for sessions and everything else. */
class CountingTogether extends InfoWrapper {
	readonly #most: number;

	constructor(most: number) {
		super();
		this.#most = most;
	}

	override create(record: SessionRecord, limits?: SessionLimits) {
		const { sessions, records } = this.inner.stats();
		if (sessions + records >= this.#most) throw new SessionManagerError('limit', 'full');
		return super.create(record, limits);
	}
}

class CountingSessionsOnly extends InfoWrapper {
	readonly #most: number;

	constructor(most: number) {
		super();
		this.#most = most;
	}

	override create(record: SessionRecord, limits?: SessionLimits) {
		const isFull = record.kind === undefined && this.inner.stats().sessions >= this.#most;
		if (isFull) throw new SessionManagerError('limit', 'full');
		return super.create(record, limits);
	}
}

class TakingStrangersAlike extends InfoWrapper {
	override create(record: SessionRecord, limits?: SessionLimits) {
		if (record.kind !== undefined && this.inner.stats().records >= 8) throw new SessionManagerError('limit', 'full');
		return super.create(record, limits);
	}
}

class CountingForThePrincipal extends InfoWrapper {
	override create(record: SessionRecord, { perPrincipal }: SessionLimits = {}) {
		const kinds = [undefined, 'task', 'handle'];
		const { principal } = record;
		const owned = principal === undefined ? [] : kinds.flatMap((kind) => this.inner.sessionsOf(principal, kind));
		if (owned.length >= (perPrincipal ?? Number.POSITIVE_INFINITY))
			throw new SessionManagerError('principal-limit', '');
		return super.create(record);
	}
}

class CountingThenCreating extends InfoWrapper {
	override async create(record: SessionRecord, limits: SessionLimits = {}) {
		const { principal, kind } = record;
		if (principal === undefined || kind === undefined) return super.create(record, limits);
		const { length } = this.inner.sessionsOf(principal, kind);
		await setImmediate();
		if (length >= (limits.perPrincipal ?? Number.POSITIVE_INFINITY))
			throw new SessionManagerError('principal-limit', '');
		return super.create(record);
	}
}

class FindingAll extends InfoWrapper {
	override sessionsOf(principal: string) {
		return [undefined, 'task', 'handle'].flatMap((kind) => this.inner.sessionsOf(principal, kind));
	}
}

class EndingAnything extends InfoWrapper {
	readonly #others: string[] = [];

	override create(record: SessionRecord, limits?: SessionLimits) {
		if (record.kind !== undefined) this.#others.push(record.id);
		return super.create(record, limits);
	}

	override endUnused(at: number, reason: string, principal?: string) {
		const ended = this.inner.endUnused(at, reason, principal);
		return ended ?? this.#others.find((id) => this.inner.end(id, at, reason));
	}
}

/** Records that are no sessions, and are taken for some. */
export const mutantsOfKinds: readonly Mutant[] = (
	[
		['what a record is gets lost', 'info/kind', () => new ForgettingKinds()],
		['a record of a kind never expires', 'info/kind-expires', () => new KeepingForEver()],
		['a scan returns what is no session', 'info/kind-scan', () => new ScanningAll()],
		['a record takes the place of a session', 'info/kind-full', () => new CountingTogether(2)],
		['a store holds records without bound', 'info/kind-limit', () => new CountingSessionsOnly(5)],
		['strangers may fill the store', 'info/kind-strangers', () => new TakingStrangersAlike()],
		[
			'records count with the sessions of a principal',
			'info/kind-principal-limit',
			() => new CountingForThePrincipal(),
		],
		[
			'the records of a principal are counted, then created',
			'info/kind-principal-limit',
			() => new CountingThenCreating(),
		],
		['tasks are found as sessions', 'info/kind-of-principal', () => new FindingAll()],
		['a record ends for a session', 'info/kind-room', () => new EndingAnything()],
	] as const
).map(([defect, fails, make]) => ({ defect, fails, factory: infoOnly(make) }));
