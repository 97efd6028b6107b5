import { setImmediate } from 'node:timers/promises';
import {
	type Capabilities,
	type ClientInfo,
	type MaybePromise,
	SessionManagerError,
	type SessionPage,
	type SessionPatch,
	type SessionRecord,
	type SessionStatus,
	whenReady,
} from '@holdfast/session-manager/custom';
import type { PeerLimits } from '@holdfast/session-manager-test-kit';
import { InfoWrapper, infoOnly } from './info-wrapper.ts';
import type { Mutant } from './mutant.ts';

class SubscribingNobody extends InfoWrapper {
	override addSubscription(id: string, uri: string) {
		super.addSubscription(id, uri);
		return true;
	}
}

class TouchingNobody extends InfoWrapper {
	override touch(id: string, usedAt: number) {
		super.touch(id, usedAt);
		return true;
	}
}

class CheckThenDelete extends InfoWrapper {
	override async delete(id: string) {
		const known = this.inner.read(id) !== undefined;
		await setImmediate();
		this.inner.delete(id);
		return known;
	}
}

class UnsubscribingNothing extends InfoWrapper {
	override removeSubscription(id: string, uri: string) {
		super.removeSubscription(id, uri);
		return this.inner.read(id) !== undefined;
	}
}

class CheckThenEnd extends InfoWrapper {
	override async end(id: string, at: number, reason: string) {
		const known = this.inner.read(id) !== undefined;
		await setImmediate();
		this.inner.end(id, at, reason);
		return known;
	}
}

class WritingForNobody extends InfoWrapper {
	override writeState(id: string, key: string, expected: string | undefined, value: string | undefined) {
		return expected === '*' && this.inner.read(id) === undefined ? true : super.writeState(id, key, expected, value);
	}
}

class NameAndVersion extends InfoWrapper {
	override getClientInfo(id: string): MaybePromise<ClientInfo | undefined> {
		return whenReady(super.getClientInfo(id), (info) => info && { name: info.name, version: info.version });
	}
}

class ForgettingTheRest extends InfoWrapper {
	override setClientInfo(id: string, clientInfo: ClientInfo) {
		return this.update(id, { initializeParams: { clientInfo } });
	}
}

class SettingWhatItRead extends InfoWrapper {
	override async setClientInfo(id: string, clientInfo: ClientInfo) {
		const record = this.inner.read(id);
		await setImmediate();
		return record !== undefined && this.update(id, { initializeParams: { ...record.initializeParams, clientInfo } });
	}
}

class PatchingMembersForEver extends InfoWrapper {
	readonly #members = new Map<string, SessionPatch>();

	override update(id: string, patch: SessionPatch, from?: SessionStatus) {
		const { clientInfo, clientCapabilities } = patch;
		const members = {
			...this.#members.get(id),
			...(clientInfo && { clientInfo }),
			...(clientCapabilities && { clientCapabilities }),
		};
		this.#members.set(id, members);
		return super.update(id, { ...patch, ...members }, from);
	}
}

class UnknownCapabilities extends InfoWrapper {
	override getClientCapabilities(id: string) {
		return this.inner.read(id)?.initializeParams.capabilities as Capabilities | undefined;
	}
}

class AddingCapabilities extends InfoWrapper {
	override setClientCapabilities(id: string, capabilities: Capabilities) {
		const known = this.inner.read(id)?.initializeParams.capabilities;
		return super.setClientCapabilities(id, { ...(known as Capabilities | undefined), ...capabilities });
	}
}

class DefaultLevel extends InfoWrapper {
	override getLogLevel(id: string) {
		return this.inner.read(id)?.logLevel ?? 'info';
	}
}

class EndlessScan extends InfoWrapper {
	override scan(cursor: string | undefined, limit: number): SessionPage {
		const page = this.inner.scan(cursor, limit);
		return { ...page, cursor: page.cursor ?? 'end' };
	}
}

class ScanningByUse extends InfoWrapper {
	override scan(cursor: string | undefined, limit: number): SessionPage {
		const { records } = this.inner.scan(undefined, Number.POSITIVE_INFINITY);
		const placeOf = ({ lastUsedAt, id }: SessionRecord) => `${lastUsedAt} ${id}`;
		const rest = [...records]
			.sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1))
			.filter((record) => cursor === undefined || placeOf(record) > cursor);
		const page = rest.slice(0, Math.max(1, limit));
		const last = page.at(-1);
		return page.length < rest.length && last !== undefined
			? { records: page, cursor: placeOf(last) }
			: { records: page };
	}
}

class ForgettingTheOldest extends InfoWrapper {
	override create(record: SessionRecord) {
		try {
			return super.create(record);
		} catch (error) {
			const [oldest] = this.inner.scan(undefined, 1).records;
			if (!(error instanceof SessionManagerError) || error.code !== 'limit' || oldest === undefined) throw error;
			this.inner.delete(oldest.id);
			return super.create(record);
		}
	}
}

class CountThenFill extends InfoWrapper {
	readonly #most: number;

	constructor(limits?: PeerLimits) {
		super();
		this.#most = limits?.maxSessions ?? Number.POSITIVE_INFINITY;
	}

	override async create(record: SessionRecord) {
		const count = this.inner.scan(undefined, Number.POSITIVE_INFINITY).records.length;
		await setImmediate();
		if (count >= this.#most) throw new SessionManagerError('limit', 'There are as many sessions as may be.');
		return super.create(record);
	}
}

/** What is answered wrongly: of nobody, in words, in pages, by a full store. */
export const mutantsOfResults: readonly Mutant[] = (
	[
		['whoever subscribes is told that it worked', 'info/set-unknown', () => new SubscribingNobody()],
		['whoever touches is told that it worked', 'info/touch-unknown', () => new TouchingNobody()],
		['several are told that they deleted a session', 'info/delete-nothing', () => new CheckThenDelete()],
		['a subscription that nobody made is ended', 'info/unsubscribe-nothing', () => new UnsubscribingNothing()],
		['several are told that they ended a session', 'info/end-unknown', () => new CheckThenEnd()],
		['a write to a deleted session is lost without a word', 'state/write-unknown', () => new WritingForNobody()],
		['of a client only name and version are kept', 'info/client-info', () => new NameAndVersion()],
		['a new name replaces all that the client said', 'info/set-client-info', () => new ForgettingTheRest()],
		['a new name is written with all that was read before', 'info/set-client-race', () => new SettingWhatItRead()],
		['what was set once comes back whatever is written', 'info/replace-params', () => new PatchingMembersForEver()],
		['what was not declared is not known', 'info/capabilities', () => new UnknownCapabilities()],
		['capabilities are only ever added', 'info/set-capabilities', () => new AddingCapabilities()],
		['a level is made up', 'info/log-level', () => new DefaultLevel()],
		['a scan never says that it is over', 'info/scan-end', () => new EndlessScan()],
		['a scan goes by the time of the last use', 'info/scan-while-changing', () => new ScanningByUse()],
		['a full store forgets its oldest session', 'info/store-full', (limits) => new ForgettingTheOldest(limits)],
		['a full store is counted before it is filled', 'info/store-full-race', (limits) => new CountThenFill(limits)],
	] as const satisfies readonly (readonly [string, string, (limits?: PeerLimits) => InfoWrapper])[]
).map(([defect, fails, make]) => ({ defect, fails, factory: infoOnly(make) }));
