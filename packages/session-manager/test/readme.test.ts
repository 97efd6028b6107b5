import { readFileSync } from 'node:fs';
import * as sessionManager from '@holdfast/session-manager';
import { DEFAULT_HISTORY_LIMITS, DEFAULT_MAX_BUFFERED_BYTES } from '@holdfast/session-manager/custom';
import { expect, it } from 'vitest';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

it('the quick start of the README runs and says what its comments say', async () => {
	const code = /## Quick start[\s\S]*?```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
	const body = code.replace(/import \{([^}]*)\} from '@holdfast\/session-manager';/, 'const {$1} = sessionManager;');
	const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
	const said: unknown[] = [];
	await AsyncFunction('sessionManager', 'console', body)(sessionManager, { log: (what: unknown) => said.push(what) });
	expect(said).toEqual([expect.stringMatching(/^id: \S+\ndata: \{"updated":"file:\/\/\/report\.md"\}\n\n$/), 2]);
});

it('the README tells the limits as they are', () => {
	const { maxEvents, maxBytes, maxAgeMs } = DEFAULT_HISTORY_LIMITS;
	const defaults = [...readme.matchAll(/^\| `([\w.]+)` \| \w* \| ([^|]+) \|/gm)].map(([, name, value]) => [
		name,
		value,
	]);
	expect(Object.fromEntries(defaults)).toMatchObject({
		'history.maxEvents': maxEvents.toLocaleString('en'),
		'history.maxBytes': `${maxBytes / 2 ** 20} MiB`,
		'history.maxAgeMs': `${maxAgeMs.toLocaleString('en')} (${maxAgeMs / 60_000} min)`,
		maxBufferedBytes: `${DEFAULT_MAX_BUFFERED_BYTES / 2 ** 20} MiB`,
	});
});
