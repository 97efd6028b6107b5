import { readFileSync } from 'node:fs';
import { DEFAULT_HISTORY_LIMITS, DEFAULT_MAX_BUFFERED_BYTES } from '@holdfast/session-manager/custom';
import * as managers from '@holdfast/session-manager-sqlite';
import { expect, it } from 'vitest';
import { SessionFile } from './support/session-file.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

it('the quick start of the README runs and says what its comments say', async () => {
	const file = new SessionFile();
	const code = /## Quick start[\s\S]*?```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
	const body = code.replace(/import \{([^}]*)\} from '@holdfast\/session-manager-sqlite';/, 'const {$1} = managers;');
	const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
	const said: unknown[] = [];
	const console = { log: (what: unknown) => said.push(what), error: (what: unknown) => said.push(what) };
	await AsyncFunction('managers', 'console', 'process', body)(managers, console, { env: { SESSIONS: file.path } });
	file[Symbol.dispose]();
	expect(said).toEqual([expect.stringMatching(/^id: \S+\ndata: sent before the restart\n\n$/)]);
});

it('the README tells the limits as they are', () => {
	const { maxEvents, maxBytes, maxAgeMs } = DEFAULT_HISTORY_LIMITS;
	const defaults = [...readme.matchAll(/^\| `([\w.]+)` \| \w* ?\| ([^|]+) \|/gm)].map(([, name, value]) => [
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
