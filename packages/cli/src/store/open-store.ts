import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager';
import { placeOf } from '@holdfast/session-manager/custom';
import { UnreachableError, UsageError } from '../exit.js';
import type { Settings } from '../settings.js';

/** A store that is open. */
export interface Store {
	readonly engine: 'redis' | 'postgres' | 'sqlite';
	/** Where it is, without what is secret in its address. */
	readonly name: string;
	readonly info: InfoSessionManager;
	readonly streams: StreamSessionManager;
	close(): Promise<void>;
}

/** Returns which engine a store is of. Throws {@link UsageError} for none that is known. */
export function engineOf(store: string | undefined): Store['engine'] {
	if (store === undefined) throw new UsageError('Name the store with --store or HOLDFAST_STORE.');
	// A drive of Windows has one letter.
	const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(store)?.[1]?.toLowerCase();
	if (scheme === undefined) return 'sqlite';
	if (scheme === 'redis' || scheme === 'rediss') return 'redis';
	if (scheme === 'postgres' || scheme === 'postgresql') return 'postgres';
	throw new UsageError(`A store is redis://…, postgres://… or a file, not ${scheme}:….`);
}

/**
 * Opens the store that the settings name. Its engine is loaded only now, and connects on first use. A schema that lacks
 * migrations is left as it is, unless `migrate` is set.
 */
export async function openStore(settings: Settings, { migrate = false } = {}, folder = '.'): Promise<Store> {
	const engine = engineOf(settings.store);
	const store = settings.store ?? '';
	if (engine === 'sqlite') {
		const path = resolve(folder, store);
		// A file that is not there would be made, and everything would look fine.
		if (!migrate && !existsSync(path))
			throw new UnreachableError(`There is no file ${resolve(folder, placeOf(store))}.`);
		const { sqliteSessionManager } = await import('@holdfast/session-manager-sqlite');
		return opened(engine, path, sqliteSessionManager(path));
	}
	if (engine === 'redis') {
		const { redisSessionManager } = await import('@holdfast/session-manager-redis');
		const { keyPrefix } = settings;
		return opened(engine, placeOf(store), redisSessionManager(store, keyPrefix === undefined ? {} : { keyPrefix }));
	}
	const { postgresSessionManager } = await import('@holdfast/session-manager-postgres');
	const { schema, listenUrl } = settings;
	const options = {
		migrate,
		...(schema !== undefined && { schema }),
		// Where there is an address beside it, this one leads through a pooler.
		...(listenUrl !== undefined && { listenUrl, prepare: false }),
	};
	return opened(engine, placeOf(store), postgresSessionManager(store, options));
}

/** Calls `work` with the open store, and closes it. */
export async function withStore<T>(settings: Settings, folder: string, work: (store: Store) => Promise<T>): Promise<T> {
	const store = await openStore(settings, {}, folder);
	try {
		return await work(store);
	} finally {
		await store.close();
	}
}

/** Returns what an error says, with what lies behind it. */
export function reasonOf(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	const { message, cause } = error;
	const behind = cause instanceof Error ? reasonOf(cause) : '';
	return behind === '' || message.includes(behind) ? message : `${message} (${behind})`;
}

function opened(
	engine: Store['engine'],
	name: string,
	managers: { readonly info: InfoSessionManager; readonly streams: StreamSessionManager; close(): Promise<void> },
): Store {
	const { info, streams } = managers;
	return { engine, name, info, streams, close: () => managers.close() };
}
