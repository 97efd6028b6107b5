import { setImmediate } from 'node:timers/promises';
import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import type {
	SessionLimits,
	SessionPage,
	SessionPatch,
	SessionRecord,
	SessionStatus,
} from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { InfoWrapper, infoOnly } from './info-wrapper.ts';
import type { Mutant } from './mutant.ts';

class Overwriting extends InfoWrapper {
	override create(record: SessionRecord, limits?: SessionLimits) {
		this.inner.delete(record.id);
		return super.create(record, limits);
	}
}

class CheckThenCreate extends InfoWrapper {
	override async create(record: SessionRecord) {
		if (this.inner.read(record.id) !== undefined) return false;
		await setImmediate();
		this.inner.delete(record.id);
		return this.inner.create(record);
	}
}

class ThrowingOnNoRows extends InfoWrapper {
	override read(id: string) {
		const rows = [this.inner.read(id)].filter((record) => record !== undefined);
		return { ...(rows[0] as SessionRecord), id: (rows[0] as SessionRecord).id };
	}
}

class LevelAsJson extends InfoWrapper {
	override update(id: string, patch: SessionPatch, from?: SessionStatus) {
		const logLevel = patch.logLevel === undefined ? {} : { logLevel: JSON.stringify(patch.logLevel) as never };
		return super.update(id, { ...patch, ...logLevel }, from);
	}
}

class DroppingClaims extends InfoWrapper {
	override create({ claims: _, ...record }: SessionRecord, limits?: SessionLimits) {
		return super.create(record, limits);
	}
}

class ReadModifyWrite extends InfoWrapper {
	override async update(id: string, patch: SessionPatch, from?: SessionStatus) {
		const record = this.inner.read(id);
		await setImmediate();
		if (record === undefined) return false;
		const { initializeParams, logLevel, endsAt, idleTtlMs } = record;
		return this.inner.update(id, { initializeParams, logLevel, endsAt, idleTtlMs, ...patch }, from);
	}
}

class PatchingAbsentFields extends InfoWrapper {
	override update(id: string, patch: SessionPatch, from?: SessionStatus) {
		return super.update(id, { logLevel: undefined, ...patch }, from);
	}
}

class Resurrecting extends InfoWrapper {
	override async touch(id: string, usedAt: number) {
		const record = this.inner.read(id);
		await setImmediate();
		if (record === undefined) return false;
		this.inner.create({ ...record, lastUsedAt: usedAt });
		return this.inner.touch(id, usedAt);
	}
}

class Upserting extends InfoWrapper {
	override update(id: string, patch: SessionPatch, from?: SessionStatus) {
		const stub = { id, protocolVersion: '', initializeParams: {}, serverCapabilities: {}, createdAt: 0, lastUsedAt: 0 };
		if (this.inner.read(id) === undefined) this.inner.create(stub);
		return super.update(id, patch, from);
	}
}

class TouchedBackwards extends InfoWrapper {
	readonly #usedAt = new Map<string, number>();

	override touch(id: string, usedAt: number) {
		this.#usedAt.set(id, usedAt);
		return super.touch(id, usedAt);
	}

	override read(id: string) {
		const record = this.inner.read(id);
		return record && { ...record, lastUsedAt: this.#usedAt.get(id) ?? record.lastUsedAt };
	}
}

class NeverTouched extends InfoWrapper {
	override touch(id: string, _usedAt: number) {
		return super.touch(id, 0);
	}
}

class Endless extends InfoWrapper {
	override create({ endsAt: _, ...record }: SessionRecord, limits?: SessionLimits) {
		return super.create(record, limits);
	}
}

class ClearingAll extends InfoWrapper {
	override removeExpired(limit: number) {
		const { records } = this.inner.scan(undefined, limit);
		for (const { id, endsAt } of records) if (endsAt === undefined) this.inner.delete(id);
		return 0;
	}
}

class ScanningByPlace extends InfoWrapper {
	override scan(cursor: string | undefined, limit: number): SessionPage {
		const { records } = this.inner.scan(undefined, Number.POSITIVE_INFINITY);
		const from = Number(cursor ?? 0);
		const to = from + Math.max(1, limit);
		return { records: records.slice(from, to), ...(to < records.length ? { cursor: `${to}` } : {}) };
	}
}

class ScanningOnePage extends InfoWrapper {
	override scan(cursor: string | undefined, limit: number): SessionPage {
		return { records: this.inner.scan(cursor, limit).records };
	}
}

/** Records that are kept wrongly. */
export const mutantsOfRecords: readonly Mutant[] = (
	[
		['a session id that is taken is taken over', 'info/create-taken', () => new Overwriting()],
		['several nodes that look first create the same session', 'info/create-race', () => new CheckThenCreate()],
		['a query without rows throws', 'info/never-made', () => new ThrowingOnNoRows()],
		['values are written as JSON and read raw', 'info/set-log-level', () => new LevelAsJson()],
		['a column for the claims is missing', 'info/record-round-trip', () => new DroppingClaims()],
		['an update writes the whole row that it read before', 'info/update-race', () => new ReadModifyWrite()],
		['a field that is absent in a patch is cleared', 'info/update', () => new PatchingAbsentFields()],
		['a touch brings a deleted session back', 'info/delete-race', () => new Resurrecting()],
		['an update makes the session that it does not find', 'info/never-made', () => new Upserting()],
		['a touch sets the clock back', 'info/touch', () => new TouchedBackwards()],
		['a touch prolongs nothing', 'info/touch-prolongs', () => new NeverTouched()],
		[
			'nothing ever expires',
			'info/expires-idle',
			() => new InfoWrapper({}, new InMemoryInfoSessionManager({ clock: new ManualClock() })),
		],
		['a session that is used outlives its end', 'info/expires-at-end', () => new Endless()],
		['a clean-up takes sessions without an end for old', 'info/remove-expired', () => new ClearingAll()],
		['a scan counts places and passes over some', 'info/scan-and-delete', () => new ScanningByPlace()],
		['a scan ends after its first page', 'info/scan-pages', () => new ScanningOnePage()],
	] as const
).map(([defect, fails, make]) => ({ defect, fails, factory: infoOnly(make) }));
