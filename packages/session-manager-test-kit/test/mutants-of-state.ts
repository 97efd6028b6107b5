import { normalize } from 'node:path/posix';
import { setImmediate } from 'node:timers/promises';
import { SessionManagerError, type SessionRecord, type StoredStateValue } from '@holdfast/session-manager/custom';
import { InfoWrapper, infoOnly } from './info-wrapper.ts';
import type { Mutant } from './mutant.ts';

class LeftoverSubscriptions extends InfoWrapper {
	readonly #pairs: (readonly [id: string, uri: string])[] = [];

	override addSubscription(id: string, uri: string) {
		const added = super.addSubscription(id, uri);
		if (added === true) this.#pairs.push([id, uri]);
		return added;
	}

	override getSubscriptions(uri: string) {
		return [...new Set(this.#pairs.filter((pair) => pair[1] === uri).map(([id]) => id))];
	}
}

class OneSubscriptionPerSession extends InfoWrapper {
	override addSubscription(id: string, uri: string) {
		for (const other of this.inner.getSubscribedUris(id)) this.inner.removeSubscription(id, other);
		return super.addSubscription(id, uri);
	}
}

class CountingSubscriptions extends InfoWrapper {
	readonly #counts = new Map<string, number>();

	override addSubscription(id: string, uri: string) {
		const pair = `${id} ${uri}`;
		this.#counts.set(pair, (this.#counts.get(pair) ?? 0) + 1);
		return super.addSubscription(id, uri);
	}

	override removeSubscription(id: string, uri: string) {
		const pair = `${id} ${uri}`;
		const left = (this.#counts.get(pair) ?? 0) - 1;
		this.#counts.set(pair, left);
		return left > 0 ? this.inner.getSubscribedUris(id).includes(uri) : super.removeSubscription(id, uri);
	}
}

class SubscriptionsOfEverybody extends InfoWrapper {
	override removeSubscription(id: string, uri: string) {
		const removed = super.removeSubscription(id, uri);
		for (const other of this.inner.getSubscriptions(uri)) this.inner.removeSubscription(other, uri);
		return removed;
	}
}

class LikePatterns extends InfoWrapper {
	override getSubscriptions(uri: string) {
		const ids = this.inner.scan(undefined, Number.POSITIVE_INFINITY).records.map(({ id }) => id);
		const pattern = uri.split('%').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
		const matches = new RegExp(`^${pattern.join('.*')}$`, 's');
		return ids.filter((id) => this.inner.getSubscribedUris(id).some((each) => matches.test(each)));
	}
}

class PagedSubscriptions extends InfoWrapper {
	override getSubscribedUris(id: string) {
		return this.inner.getSubscribedUris(id).slice(0, 8_000);
	}
}

/** A manager that changes the ids that it is given. */
class SpelledDifferently extends InfoWrapper {
	readonly #spell: (id: string) => string;

	constructor(spell: (id: string) => string) {
		super();
		this.#spell = spell;
	}

	protected override idOf(id: string) {
		return this.#spell(id);
	}
}

class Inheriting extends InfoWrapper {
	readonly #left = new Map<string, string[]>();

	override delete(id: string) {
		this.#left.set(id, this.inner.getSubscribedUris(id));
		return super.delete(id);
	}

	override create(record: SessionRecord) {
		const created = super.create(record);
		if (created === true) for (const uri of this.#left.get(record.id) ?? []) this.inner.addSubscription(record.id, uri);
		return created;
	}
}

class InsertOrReplace extends InfoWrapper {
	override writeState(id: string, key: string, expected: string | undefined, value: string | undefined) {
		return super.writeState(id, key, expected ?? '*', value);
	}
}

class WithoutCompare extends InfoWrapper {
	override writeState(id: string, key: string, _expected: string | undefined, value: string | undefined) {
		return super.writeState(id, key, '*', value);
	}
}

class CompareThenWrite extends InfoWrapper {
	override async writeState(id: string, key: string, expected: string | undefined, value: string | undefined) {
		if (expected !== '*' && this.inner.readState(id, key)?.version !== expected) return false;
		await setImmediate();
		return this.inner.writeState(id, key, '*', value);
	}
}

class RemovingWhatever extends InfoWrapper {
	override writeState(id: string, key: string, expected: string | undefined, value: string | undefined) {
		return super.writeState(id, key, value === undefined ? '*' : expected, value);
	}
}

class ValueAsVersion extends InfoWrapper {
	override readState(id: string, key: string) {
		const stored = this.inner.readState(id, key);
		return stored && { value: stored.value, version: stored.value };
	}

	override writeState(id: string, key: string, expected: string | undefined, value: string | undefined) {
		const stored = this.inner.readState(id, key);
		return super.writeState(id, key, expected === stored?.value ? stored?.version : expected, value);
	}
}

/** A manager that changes the keys of state that it is given. */
class KeyedDifferently extends InfoWrapper {
	readonly #spell: (key: string) => string;

	constructor(spell: (key: string) => string) {
		super();
		this.#spell = spell;
	}

	protected override keyOf(key: string) {
		return this.#spell(key);
	}
}

class LiveList extends InfoWrapper {
	readonly #lists = new Map<string, Map<string, StoredStateValue>>();

	override listState(id: string) {
		const list = this.#lists.get(id) ?? new Map<string, StoredStateValue>();
		this.#lists.set(id, list);
		for (const [key, value] of this.inner.listState(id)) list.set(key, value);
		return list;
	}

	override writeState(id: string, key: string, expected: string | undefined, value: string | undefined) {
		const written = super.writeState(id, key, expected, value);
		this.listState(id);
		return written;
	}
}

class TrimmedValues extends InfoWrapper {
	override writeState(id: string, key: string, expected: string | undefined, value: string | undefined) {
		return super.writeState(id, key, expected, value?.trimEnd());
	}
}

class SmallPayloads extends InfoWrapper {
	override writeState(id: string, key: string, expected: string | undefined, value: string | undefined) {
		if ((value?.length ?? 0) > 8_000) throw new Error('payload string too long');
		return super.writeState(id, key, expected, value);
	}
}

class UnboundedState extends InfoWrapper {
	override writeState(id: string, key: string, expected: string | undefined, value: string | undefined) {
		try {
			return super.writeState(id, key, expected, value);
		} catch (error) {
			if (error instanceof SessionManagerError && error.code === 'limit') return true;
			throw error;
		}
	}
}

/** Subscriptions, ids and state that are kept wrongly. */
export const mutantsOfState: readonly Mutant[] = (
	[
		['subscriptions outlive their session', 'info/deleted', () => new LeftoverSubscriptions()],
		[
			'a primary key allows one resource per session',
			'info/subscriptions-both-ways',
			() => new OneSubscriptionPerSession(),
		],
		['subscriptions are counted', 'info/subscription-once', () => new CountingSubscriptions()],
		['one session unsubscribes all', 'info/subscriptions-apart', () => new SubscriptionsOfEverybody()],
		['resources are looked up as patterns', 'info/hostile-resources', () => new LikePatterns()],
		['only the first thousands are read', 'info/subscriptions-many', () => new PagedSubscriptions()],
		['session ids are file paths', 'info/hostile-ids', () => new SpelledDifferently(normalize)],
		['session ids are not quoted', 'info/hostile-ids', () => new SpelledDifferently((id) => id.replaceAll("'", ''))],
		[
			'session ids are cut at 255 characters',
			'info/hostile-ids',
			() => new SpelledDifferently((id) => id.slice(0, 255)),
		],
		['state is written without a comparison', 'state/write-expected', () => new WithoutCompare()],
		['state is compared, then written', 'state/increments', () => new CompareThenWrite()],
		['two that expect the same version both write', 'state/write-race', () => new CompareThenWrite()],
		['a first value replaces another', 'state/computed-once', () => new InsertOrReplace()],
		['a session inherits from one of its id', 'info/subscriptions-model', () => new Inheriting()],
		['state is removed without a comparison', 'state/remove-expected', () => new RemovingWhatever()],
		['a value is its own version', 'state/versions', () => new ValueAsVersion()],
		['state keys are cut at NUL', 'state/hostile-keys', () => new KeyedDifferently((key) => key.split('\0')[0] ?? '')],
		[
			'a collation makes state keys alike',
			'state/hostile-keys',
			() => new KeyedDifferently((key) => key.toLowerCase()),
		],
		[
			'what is encoded as UTF-8 is compared',
			'info/lone-surrogates',
			() => new KeyedDifferently((key) => Buffer.from(key).toString()),
		],
		['the list of state is the store itself', 'state/list', () => new LiveList()],
		['a column of fixed width eats spaces', 'state/types', () => new TrimmedValues()],
		['payloads over 8,000 bytes fail', 'state/largest', () => new SmallPayloads()],
		['what is too much is dropped without a word', 'state/limit', () => new UnboundedState()],
	] as const
).map(([defect, fails, make]) => ({ defect, fails, factory: infoOnly(make) }));
