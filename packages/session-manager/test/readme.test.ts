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

it('the README names every hook that a manager over a broker must have, and every continuation', () => {
	const source = (path: string) => readFileSync(new URL(`../src/${path}`, import.meta.url), 'utf8');
	const broker = source('broker/broker-stream-session-manager.ts');
	const hooks = [...broker.matchAll(/^\tprotected abstract (\w+)\(/gm)].map(([, name]) => `\`${name}\``);
	expect(hooks.length).toBeGreaterThan(8);
	const told = /You implement ([\s\S]*?), each/.exec(readme)?.[1] ?? '';
	expect(told.match(/`\w+`/g)?.sort()).toEqual(hooks.sort());

	const [, type = ''] =
		/^export type StreamContinuation = (.*);$/m.exec(source('contract/stream-session-manager.ts')) ?? [];
	const table = readme.slice(readme.indexOf('| `continuation` |')).split('\n\n', 1)[0] ?? '';
	const rows = [...table.matchAll(/^\| `(\w+)` \|/gm)].slice(1).map(([, name]) => `'${name}'`);
	expect(rows).toEqual(type.split(' | '));
});
