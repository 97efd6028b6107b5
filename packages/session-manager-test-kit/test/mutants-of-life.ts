import { setImmediate } from 'node:timers/promises';
import type {
	EndedSession,
	SessionLimits,
	SessionPatch,
	SessionRecord,
	SessionStatus,
} from '@holdfast/session-manager/custom';
import { InfoWrapper, infoOnly } from './info-wrapper.ts';
import type { Mutant } from './mutant.ts';

class NotEnding extends InfoWrapper {
	override end(id: string) {
		return this.inner.read(id) !== undefined;
	}
}

class EndingWithoutRest extends InfoWrapper {
	override end(id: string) {
		return this.inner.delete(id);
	}
}

class AnyStatus extends InfoWrapper {
	override update(id: string, patch: SessionPatch) {
		return super.update(id, patch);
	}
}

class CountThenCreate extends InfoWrapper {
	override async create(record: SessionRecord, limits?: SessionLimits) {
		const { principal } = record;
		const count = principal === undefined ? 0 : this.inner.sessionsOf(principal).length;
		await setImmediate();
		return this.inner.create(record, count < (limits?.perPrincipal ?? Number.POSITIVE_INFINITY) ? {} : limits);
	}
}

class CountingTheDead extends InfoWrapper {
	readonly #opened = new Map<string | undefined, number>();

	override create(record: SessionRecord, limits?: SessionLimits) {
		const count = (this.#opened.get(record.principal) ?? 0) + 1;
		const most = limits?.perPrincipal;
		const created = super.create(record, most !== undefined && count > most ? { perPrincipal: 0 } : limits);
		if (created === true) this.#opened.set(record.principal, count);
		return created;
	}
}

class StatusAsStored extends InfoWrapper {
	override update(id: string, patch: SessionPatch, from?: SessionStatus) {
		if (from !== undefined && this.inner.read(id)?.status !== from) return false;
		return super.update(id, patch, from);
	}
}

class EndedAsBegun extends InfoWrapper {
	readonly #begun = new Map<string, SessionRecord>();

	override create(record: SessionRecord, limits?: SessionLimits) {
		this.#begun.set(record.id, record);
		return super.create(record, limits);
	}

	override readEnded(id: string): EndedSession | undefined {
		const ended = this.inner.readEnded(id);
		return ended && { ...ended, record: this.#begun.get(id) ?? ended.record };
	}
}

class KeptForEver extends InfoWrapper {
	readonly #ended = new Map<string, EndedSession>();

	override end(id: string, endedAt: number, reason: string) {
		const record = this.inner.read(id);
		if (record?.keepEndedMs !== undefined) this.#ended.set(id, { record, endedAt, reason });
		return super.end(id, endedAt, reason);
	}

	override readEnded(id: string): EndedSession | undefined {
		return this.#ended.get(id) ?? this.inner.readEnded(id);
	}
}

class ExpiredWithoutRest extends InfoWrapper {
	override readEnded(id: string): EndedSession | undefined {
		const ended = this.inner.readEnded(id);
		return ended?.reason === 'expired' ? undefined : ended;
	}
}

class ScanningTheEnded extends InfoWrapper {
	readonly #ids: string[] = [];

	override create(record: SessionRecord, limits?: SessionLimits) {
		this.#ids.push(record.id);
		return super.create(record, limits);
	}

	override scan(cursor: string | undefined, limit: number) {
		const page = this.inner.scan(cursor, limit);
		if (page.cursor !== undefined) return page;
		const ended = this.#ids.flatMap((id) => this.inner.readEnded(id)?.record ?? []);
		return { records: [...page.records, ...ended] };
	}
}

class PrincipalsAlike extends InfoWrapper {
	override sessionsOf(principal: string) {
		const { records } = this.inner.scan(undefined, Number.POSITIVE_INFINITY);
		const wanted = principal.toLowerCase();
		return records.filter((record) => record.principal?.toLowerCase() === wanted).map(({ id }) => id);
	}
}

class OnlyTheLiving extends InfoWrapper {
	override sessionsOf(principal: string) {
		return this.inner.sessionsOf(principal).filter((id) => this.inner.read(id) !== undefined);
	}
}

/** How sessions change, end, are kept and are counted wrongly. */
export const mutantsOfLife: readonly Mutant[] = (
	[
		['an ended session goes on', 'info/ended', () => new NotEnding()],
		['nothing is kept of an ended session', 'info/ended-kept', () => new EndingWithoutRest()],
		['a status is changed whatever it was', 'info/status-race', () => new AnyStatus()],
		['sessions are counted before they are made', 'info/principal-limit-race', () => new CountThenCreate()],
		['sessions that are over count for ever', 'info/principal-limit', () => new CountingTheDead()],
		['a session without a status has none', 'info/status', () => new StatusAsStored()],
		['an ended session is kept as it began', 'info/ended-record', () => new EndedAsBegun()],
		['ended sessions are kept for ever', 'info/ended-kept-so-long', () => new KeptForEver()],
		['a session that expires leaves nothing', 'info/expired-kept', () => new ExpiredWithoutRest()],
		['a scan finds what is kept of ended sessions', 'info/scan-living', () => new ScanningTheEnded()],
		['a collation makes principals alike', 'info/sessions-of-principal', () => new PrincipalsAlike()],
		['a person’s ended sessions are passed over', 'info/ended-sessions-of-principal', () => new OnlyTheLiving()],
	] as const
).map(([defect, fails, make]) => ({ defect, fails, factory: infoOnly(make) }));
