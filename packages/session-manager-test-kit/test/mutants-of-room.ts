import { setImmediate } from 'node:timers/promises';
import type { SessionRecord } from '@holdfast/session-manager/custom';
import { InfoWrapper, infoOnly } from './info-wrapper.ts';
import type { Mutant } from './mutant.ts';

/** A manager that chooses by itself which session ends, among the living ones in the order of their last use. */
abstract class Choosing extends InfoWrapper {
	abstract choose(living: readonly SessionRecord[]): SessionRecord | undefined;

	override endUnused(at: number, reason: string, principal?: string) {
		if (principal !== undefined) return this.inner.endUnused(at, reason, principal);
		const chosen = this.choose(this.living());
		return chosen && this.inner.end(chosen.id, at, reason) ? chosen.id : undefined;
	}

	protected living(): SessionRecord[] {
		const { records } = this.inner.scan(undefined, Number.POSITIVE_INFINITY);
		return [...records].sort((one, other) => one.lastUsedAt - other.lastUsedAt);
	}
}

/** Those of whoever has the most, where that is more than `share` of all; otherwise all. */
function ofMost(living: readonly SessionRecord[], ownerOf: (record: SessionRecord) => unknown, share: number) {
	const ownedBy = (owner: unknown) => living.filter((record) => ownerOf(record) === owner);
	const [most = []] = living.map((record) => ownedBy(ownerOf(record))).sort((a, b) => b.length - a.length);
	return most.length > Math.max(1, living.length * share) ? most : living;
}

const isVerified = ({ principal, remoteAddress }: SessionRecord) =>
	principal !== undefined && remoteAddress === undefined;
const unverifiedFirst = (living: readonly SessionRecord[]) => living.find((record) => !isVerified(record)) ?? living[0];
const addressOrPrincipal = ({ remoteAddress, principal }: SessionRecord) => remoteAddress ?? `of ${principal}`;

class EndingNobody extends InfoWrapper {
	override endUnused(at: number, reason: string, principal?: string) {
		const ended = this.inner.endUnused(at, reason, principal) as string | undefined;
		if (ended !== undefined && principal === undefined) this.inner.create(sampleOf(ended));
		return ended;
	}
}

class DeletingForRoom extends InfoWrapper {
	override endUnused(at: number, reason: string, principal?: string) {
		const ended = this.inner.endUnused(at, reason, principal);
		if (ended !== undefined) this.inner.delete(ended);
		return ended;
	}
}

class EndingTheDead extends InfoWrapper {
	#last: string | undefined;

	override create(record: SessionRecord) {
		this.#last = record.id;
		return super.create(record);
	}

	override endUnused(at: number, reason: string, principal?: string) {
		return this.inner.endUnused(at, reason, principal) ?? this.#last;
	}
}

class EndingTheFirst extends InfoWrapper {
	override endUnused(at: number, reason: string, principal?: string) {
		if (principal === undefined) return this.inner.endUnused(at, reason);
		return this.inner.sessionsOf(principal).find((id) => this.inner.end(id, at, reason));
	}
}

class BlindToFloods extends Choosing {
	override choose(living: readonly SessionRecord[]) {
		return unverifiedFirst(living);
	}
}

class MostOfFew extends Choosing {
	override choose(living: readonly SessionRecord[]) {
		return unverifiedFirst(ofMost(living, addressOrPrincipal, 0));
	}
}

class CountingClaims extends Choosing {
	override choose(living: readonly SessionRecord[]) {
		return unverifiedFirst(ofMost(living, ({ principal, remoteAddress }) => principal ?? remoteAddress, 0.01));
	}
}

class LongestOfAll extends Choosing {
	override choose(living: readonly SessionRecord[]) {
		return ofMost(living, addressOrPrincipal, 0.01)[0];
	}
}

class ChooseThenEnd extends InfoWrapper {
	override async endUnused(at: number, reason: string, principal?: string) {
		const { records } = this.inner.scan(undefined, Number.POSITIVE_INFINITY);
		const [first] = records.filter((record) => principal === undefined || record.principal === principal);
		await setImmediate();
		if (first !== undefined) this.inner.end(first.id, at, reason);
		return first?.id;
	}
}

function sampleOf(id: string): SessionRecord {
	const initializeParams = { clientInfo: { name: 'test', version: '1' }, capabilities: {} };
	return { id, protocolVersion: '2025-11-25', initializeParams, serverCapabilities: {}, createdAt: 0, lastUsedAt: 0 };
}

/** How the wrong session ends for another. */
export const mutantsOfRoom: readonly Mutant[] = (
	[
		['a session that ended for another goes on', 'info/room', () => new EndingNobody()],
		['nothing is kept of what ended for another', 'info/room-kept', () => new DeletingForRoom()],
		['what has ended ends again for another', 'info/room-none', () => new EndingTheDead()],
		['the session that was created first ends', 'info/room-of-principal', () => new EndingTheFirst()],
		['one who floods the store loses nothing', 'info/room-of-most', () => new BlindToFloods()],
		['whoever has two loses one of them', 'info/room-of-hundredth', () => new MostOfFew()],
		['whoever claims many principals has few of each', 'info/room-of-address', () => new CountingClaims()],
		['principals lose theirs like anybody', 'info/room-of-unverified', () => new LongestOfAll()],
		['several end the same session', 'info/room-race', () => new ChooseThenEnd()],
	] as const
).map(([defect, fails, make]) => ({ defect, fails, factory: infoOnly(make) }));
