import { Session } from '@holdfast/session-manager';
import {
	InfoSessionManager,
	isExpired,
	patched,
	type SessionPage,
	type SessionPatch,
	type SessionRecord,
	type StoredStateValue,
	type StreamController,
	StreamSessionManager,
} from '@holdfast/session-manager/custom';
import { describe, expect, it } from 'vitest';
import { sampleRecord } from './sample-record.ts';
import { StreamClient, sse } from './stream-client.ts';

/** The four verbs and nothing else. */
class MinimalStreamSessionManager extends StreamSessionManager {
	readonly #controllers = new Map<string, StreamController>();

	create(id: string, controller: StreamController): void {
		this.delete(id);
		this.#controllers.set(id, controller);
	}

	delete(id: string): void {
		this.#controllers.get(id)?.close();
		this.#controllers.delete(id);
	}

	has(id: string): boolean {
		return this.#controllers.has(id);
	}

	send(ids: readonly string[] | undefined, data: string): void {
		const chunk = new TextEncoder().encode(data);
		for (const id of ids ?? this.#controllers.keys()) this.#controllers.get(id)?.enqueue(chunk);
	}
}

/** The primitives over a table that answers later, as a database does. */
class TableInfoSessionManager extends InfoSessionManager {
	readonly #rows = new Map<
		string,
		{ record: SessionRecord; uris: Set<string>; state: Map<string, StoredStateValue> }
	>();
	#versions = 0;

	async #row(id: string) {
		await Promise.resolve();
		const row = this.#rows.get(id);
		return row === undefined || isExpired(row.record, 0) ? undefined : row;
	}

	async create(record: SessionRecord): Promise<boolean> {
		if (this.#rows.has(record.id)) return false;
		this.#rows.set(record.id, { record, uris: new Set(), state: new Map() });
		return true;
	}

	async read(id: string): Promise<SessionRecord | undefined> {
		return (await this.#row(id))?.record;
	}

	async update(id: string, patch: SessionPatch): Promise<boolean> {
		const row = await this.#row(id);
		if (row !== undefined) row.record = patched(row.record, patch);
		return row !== undefined;
	}

	async touch(id: string, usedAt: number): Promise<boolean> {
		const row = await this.#row(id);
		if (row !== undefined) row.record = { ...row.record, lastUsedAt: Math.max(usedAt, row.record.lastUsedAt) };
		return row !== undefined;
	}

	async delete(id: string): Promise<boolean> {
		return this.#rows.delete(id);
	}

	async addSubscription(id: string, uri: string): Promise<boolean> {
		return (await this.#row(id))?.uris.add(uri) !== undefined;
	}

	async removeSubscription(id: string, uri: string): Promise<boolean> {
		return (await this.#row(id))?.uris.delete(uri) ?? false;
	}

	async getSubscriptions(uri: string): Promise<string[]> {
		return [...this.#rows].filter(([, { uris }]) => uris.has(uri)).map(([id]) => id);
	}

	async getSubscribedUris(id: string): Promise<string[]> {
		return [...((await this.#row(id))?.uris ?? [])];
	}

	async readState(id: string, key: string): Promise<StoredStateValue | undefined> {
		return (await this.#row(id))?.state.get(key);
	}

	async listState(id: string): Promise<ReadonlyMap<string, StoredStateValue>> {
		return new Map((await this.#row(id))?.state);
	}

	async writeState(id: string, key: string, expected: string | undefined, value: string | undefined): Promise<boolean> {
		const row = await this.#row(id);
		if (row === undefined || (expected !== '*' && row.state.get(key)?.version !== expected)) return false;
		if (value === undefined) row.state.delete(key);
		else row.state.set(key, { version: `${++this.#versions}`, value });
		return true;
	}

	async scan(): Promise<SessionPage> {
		return { records: [...this.#rows.values()].map(({ record }) => record) };
	}
}

describe('a stream manager of the four verbs', () => {
	it('delivers, takes over and ends, and says that it cannot resume', async () => {
		const streams: StreamSessionManager = new MinimalStreamSessionManager();
		const [old, newest] = [new StreamClient(), new StreamClient()];
		expect(streams.resumable).toBe(false);
		await streams.create('s', old.controller, { prime: sse('prime'), lastEventId: 'any' });
		expect(await streams.create('s', newest.controller)).toBeUndefined();
		await streams.send(['s'], sse(1));
		await streams.send(undefined, sse(2));
		expect(await streams.has('s')).toBe(true);
		expect(await newest.texts()).toEqual(['1', '2']);
		expect(await old.texts()).toEqual([]);
		expect(old.ended).toBe('closed');
		await streams.delete('s');
		expect(await streams.has('s')).toBe(false);
	});

	it('inherits a close that does nothing, a disposal and a place for failures', async () => {
		await using streams = new MinimalStreamSessionManager();
		const failures: Error[] = [];
		streams.onerror = (error) => failures.push(error);
		expect(streams.close()).toBeUndefined();
		expect(failures).toEqual([]);
	});

	it('is closed when it is disposed of', async () => {
		let closed = 0;
		class Closing extends MinimalStreamSessionManager {
			override async close(): Promise<void> {
				closed++;
			}
		}
		{
			await using _streams = new Closing();
		}
		expect(closed).toBe(1);
	});
});

describe('an info manager of the primitives alone', () => {
	it('inherits the whole vocabulary', async () => {
		await using info: InfoSessionManager = new TableInfoSessionManager();
		await info.create(sampleRecord('s'));
		expect(await info.getClientInfo('s')).toEqual({ name: 'test', version: '1.0.0' });
		expect(await info.getClientCapabilities('s')).toEqual({ roots: { listChanged: true } });
		expect(await info.getLogLevel('s')).toBeUndefined();
		expect(await info.setClientInfo('s', { name: 'renamed', version: '2' })).toBe(true);
		expect(await info.setClientCapabilities('s', { sampling: {} })).toBe(true);
		expect(await info.setLogLevel('s', 'alert')).toBe(true);
		expect(await info.getClientInfo('s')).toEqual({ name: 'renamed', version: '2' });
		expect(await info.getClientCapabilities('s')).toEqual({ sampling: {} });
		expect(await info.getLogLevel('s')).toBe('alert');
		expect((await info.read('s'))?.initializeParams.protocolVersion).toBe('2025-11-25');
	});

	it('answers nothing of an unknown session in that vocabulary, and makes none', async () => {
		const info = new TableInfoSessionManager();
		expect(await info.getClientInfo('s')).toBeUndefined();
		expect(await info.getClientCapabilities('s')).toBeUndefined();
		expect(await info.getLogLevel('s')).toBeUndefined();
		expect(await info.setClientInfo('s', { name: 'ghost', version: '0' })).toBe(false);
		expect(await info.setClientCapabilities('s', {})).toBe(false);
		expect(await info.setLogLevel('s', 'debug')).toBe(false);
		expect(await info.read('s')).toBeUndefined();
	});

	it('carries a session handle and its state', async () => {
		const info = new TableInfoSessionManager();
		const record = sampleRecord('s');
		await info.create(record);
		await info.addSubscription('s', 'file:///a');
		const session = new Session(record, { info, terminate: async (id) => void (await info.delete(id)) });
		await Promise.all(Array.from({ length: 100 }, () => session.state.increment('count')));
		expect(await session.state.get('count')).toBe(100);
		expect(await session.subscriptions()).toEqual(['file:///a']);
		await session.terminate('done');
		await expect(session.state.set('count', 0)).rejects.toThrow(expect.objectContaining({ code: 'no-such-session' }));
	});
});
