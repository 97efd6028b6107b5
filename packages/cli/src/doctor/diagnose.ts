import type { Settings } from '../settings.js';
import { openStore, type Store } from '../store/open-store.js';
import { examineEndpoint } from './endpoint.js';
import type { Finding, Report } from './finding.js';
import type { Patience } from './patience.js';
import { examinePostgres } from './postgres.js';
import { examineRedis } from './redis.js';
import { examineStore } from './store.js';

/** What the doctor found. */
export interface Diagnosis {
	readonly findings: readonly Finding[];
	/** What was examined: the store and the endpoint, without secrets. */
	readonly examined: readonly string[];
	/** Whether the store or the endpoint could not be reached, so that there may be more. */
	readonly unreachable: boolean;
}

/** How the doctor works; the command line has `watchMs` of it. */
export interface DiagnoseOptions extends Partial<Patience> {
	/** Where relative paths begin. */
	readonly folder?: string;
}

/** What a proxy cuts is cut within a minute, as a rule. */
const WATCH_MS = 65_000;

/**
 * Examines the store and the endpoint that the settings name, and returns what is wrong with each. Nothing that is
 * stored is changed, except that the sessions which it opens at the endpoint are ended again. Throws `TypeError` or
 * `UsageError` for settings that cannot work; what cannot be reached is a finding.
 *
 * @example
 * ```ts source="test/examples/diagnose.examples.ts#diagnose"
 * const { findings } = await diagnose({ store: 'redis://localhost:6379', url: 'https://tools.example/mcp' });
 * for (const { code, what, repair } of findings) log(`${code}: ${what} ${repair}`);
 * ```
 */
export async function diagnose(settings: Settings, options: DiagnoseOptions = {}): Promise<Diagnosis> {
	const { folder, watchMs = settings.watchMs ?? WATCH_MS, firstByteMs = 5_000, silentMs = 60_000 } = options;
	const findings: Finding[] = [];
	const examined: string[] = [];
	const report: Report = (code, what, repair) => {
		findings.push({ code, what, repair });
	};
	const store = settings.store === undefined ? undefined : await opened(settings, folder, report);
	try {
		if (settings.store !== undefined) examined.push(store?.name ?? 'store');
		const isThere = store !== undefined && (await examineEngine(store, settings, report));
		if (settings.url !== undefined) {
			examined.push(new URL(settings.url).origin);
			const patience = { watchMs, firstByteMs, silentMs };
			await examineEndpoint(settings.url, settings.token, isThere ? store.info : undefined, patience, report);
		}
	} finally {
		await store?.close();
	}
	return { findings, examined, unreachable: findings.some(({ code }) => code.endsWith('-unreachable')) };
}

async function opened(settings: Settings, folder: string | undefined, report: Report): Promise<Store | undefined> {
	try {
		return await openStore(settings, {}, folder);
	} catch (error) {
		if (!(error instanceof Error) || error.name !== 'UnreachableError') throw error;
		report('store-unreachable', error.message, 'Name the file that the servers use, and run this as their user.');
		return undefined;
	}
}

/** Returns whether the store can be used. */
async function examineEngine(store: Store, settings: Settings, report: Report): Promise<boolean> {
	if (store.engine === 'redis' && !(await examineRedis(settings, report))) return false;
	if (store.engine === 'postgres' && !(await examinePostgres(settings, report))) return false;
	return examineStore(store, settings, report);
}
