import { placeOf } from '@holdfast/session-manager/custom';
import type { Redis } from 'ioredis';
import type { Settings } from '../settings.js';
import { shortHash } from '../short-hash.js';
import { reasonOf } from '../store/open-store.js';
import { examineClock } from './clock.js';
import type { Report } from './finding.js';

/** From which part of `maxmemory` on the memory is nearly full. */
const NEARLY_FULL = 0.9;
/** How many keys are looked at for their expiry, at most. */
const MAX_KEYS = 20_000;
const OLDEST_VERSION = 7;

/** Examines what only Redis has. Returns `false` where it cannot be reached. */
export async function examineRedis(
	{ store = '', keyPrefix = 'holdfast:' }: Settings,
	report: Report,
): Promise<boolean> {
	const { Redis } = await import('ioredis');
	const redis = new Redis(store, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 3_000 });
	let reason: unknown;
	redis.on('error', (error) => {
		reason = error;
	});
	try {
		await redis.connect();
		const asked = Date.now();
		const [[seconds, micros], answered] = [await redis.time(), Date.now()];
		examineClock('Redis', Number(seconds) * 1_000 + Number(micros) / 1_000, asked, answered, report);
		examineInfo(await redis.info(), report);
		await examineExpiry(redis, keyPrefix, report);
		return true;
	} catch (error) {
		// What the user may not do, the manager names in full.
		if (/NOPERM/.test(reasonOf(error))) return true;
		const what = `Redis at ${placeOf(store)} cannot be reached: ${reasonOf(reason ?? error)}.`;
		report('store-unreachable', what, 'See that it runs, and that address, TLS, user and password are right.');
		return false;
	} finally {
		redis.disconnect();
	}
}

function examineInfo(text: string, report: Report): void {
	const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(text)?.[1] ?? '';
	const version = field('redis_version');
	if (Number.parseInt(version, 10) < OLDEST_VERSION) {
		report('redis-version', `Redis ${version} is too old.`, `Run Redis ${OLDEST_VERSION} or later.`);
	}
	const policy = field('maxmemory_policy');
	if (policy !== '' && policy !== 'noeviction') {
		const what = `The eviction policy is ${policy}: a full Redis drops sessions that are in use.`;
		report('redis-eviction', what, 'CONFIG SET maxmemory-policy noeviction, and set it in redis.conf.');
	}
	const [used, most] = [Number(field('used_memory')), Number(field('maxmemory'))];
	if (most > 0 && used > most * NEARLY_FULL) {
		const what = `Redis uses ${megabytes(used)} of at most ${megabytes(most)} MB of memory.`;
		report('redis-memory', what, 'Raise maxmemory, or lower maxSessions, idleTtlMs or history.maxBytes.');
	}
}

function megabytes(bytes: number): string {
	return (bytes / 1024 / 1024).toFixed(1);
}

/** Every key that the managers make expires; another one fills the memory for ever. */
async function examineExpiry(redis: Redis, prefix: string, report: Report): Promise<void> {
	const lasting: string[] = [];
	let cursor = '0';
	let seen = 0;
	do {
		const [next, keys] = await redis.scan(cursor, 'MATCH', `${prefix.replaceAll(/[\\[\]*?]/g, '\\$&')}*`, 'COUNT', 500);
		cursor = next;
		seen += keys.length;
		const lives = await Promise.all(keys.map((key) => redis.pttl(key)));
		lasting.push(...keys.filter((_, index) => lives[index] === -1));
	} while (cursor !== '0' && seen < MAX_KEYS);
	const [example] = lasting;
	if (example === undefined) return;
	const what = `${lasting.length} keys never expire, such as ${withoutId(example)}.`;
	const repair =
		'Find out who writes under this prefix (a copy that was restored, PERSIST, another program) and remove it.';
	report('redis-expiry', what, repair);
}

/** The key of a session names it; whoever reads a finding must not be able to use it. */
function withoutId(key: string): string {
	return key.replace(/\{s:([^}]*)\}/, (_, id: string) => `{s:${shortHash(id)}…}`);
}
