import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';
import { holdfast } from './support/command-line.ts';

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const away = 'redis://user:secret@127.0.0.1:1';

/** A folder with a configuration file. */
function folderWith(config: string): string {
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	writeFileSync(join(folder, 'holdfast.config.json'), config);
	return folder;
}

test('the help fits a screen and names every command and exit code', async () => {
	const { code, out } = await holdfast(['--help']);
	expect(code).toBe(0);
	const lines = out.trimEnd().split('\n');
	expect(lines.length).toBeLessThanOrEqual(24);
	expect(lines.filter((line) => line.length > 80)).toEqual([]);
	const commands = ['doctor', 'sessions list', 'sessions end', 'people erase', 'nodes', 'migrate'];
	for (const command of commands) expect(out).toContain(`  ${command} `);
	expect(out).toContain('Exit: 0 fine, 1 findings, 2 usage, 3 unreachable.');
});

test('the program runs as a process of its own', async () => {
	const { stdout } = await promisify(execFile)(process.execPath, [program, '--version']);
	expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('a reader that has enough is no error', async () => {
	const child = spawn(process.execPath, [program, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
	child.stdout.destroy();
	let stderr = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		stderr += text;
	});
	const [code] = await once(child, 'close');
	expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test.each([
	['no command', []],
	['an unknown command', ['sessions', 'destroy']],
	['an unknown flag', ['nodes', '--stroe', away]],
	['no store', ['nodes']],
	['a store of another kind', ['nodes', '--store', 'mysql://host']],
	['a store with a slip in its scheme', ['nodes', '--store', 'redis:/:secret@host']],
	['a store without a scheme', ['nodes', '--store', 'user:secret@host:6379']],
	['a store that is no URL', ['doctor', '--store', 'redis://:secret?@host']],
	['a store of conversations of another kind', ['conversations', 'list', '--conversations', 'redis:/:secret@host']],
	['no session', ['sessions', 'end', '--store', away]],
	['a limit that is no number', ['sessions', 'list', '--limit', 'all', '--store', away]],
	['a status that there is not', ['sessions', 'list', '--status', 'bogus', '--store', away]],
	['a status that no conversation has', ['conversations', 'list', '--status', 'opening', '--conversations', '.']],
	['a flag of another command', ['nodes', '--limit', '5', '--store', away]],
	['a flag that acts, where nothing is done', ['sessions', 'show', 'some-session', '--yes', '--store', away]],
	['a number that is none', ['doctor', '--watch-ms', 'long', '--store', away]],
	['an endpoint that is no URL', ['doctor', '--url', 'here']],
	['a configuration that is not there', ['nodes', '--config', '/nowhere.json']],
])('%s is a usage error: one line, exit code 2', async (_, args) => {
	const { code, out, note } = await holdfast(args);
	expect({ code, out, lines: note.split('\n').length }).toEqual({ code: 2, out: '', lines: 2 });
	expect(note).toMatch(/^holdfast: .+ See holdfast --help\.$/m);
	expect(note).not.toContain('secret');
});

test('a store that is away gives exit code 3 and shows no password', async () => {
	for (const command of [['nodes'], ['sessions', 'list'], ['sessions', 'end', 'some-session'], ['migrate']]) {
		const { code, out, note } = await holdfast([...command, '--store', away]);
		expect({ code, out }).toEqual({ code: 3, out: '' });
		expect(note).toContain('unavailable');
		expect(note).not.toContain('secret');
	}
	const { code, out } = await holdfast(['doctor', '--json', '--store', away]);
	expect({ code, findings: JSON.parse(out).findings }).toMatchObject({
		code: 3,
		findings: [{ code: 'store-unreachable' }],
	});
});

test('a file that is not there is named without what may be a password', async () => {
	for (const args of [
		['nodes', '--store', ':secret@host:6379'],
		['conversations', 'list', '--conversations', ':secret@host:6379'],
	]) {
		const { code, note } = await holdfast(args);
		expect({ code, note }).toEqual({ code: 3, note: expect.stringContaining(':…@host:6379') });
		expect(note).not.toContain('secret');
	}
});

test('flags win over variables, and variables over the file', async () => {
	const folder = folderWith(JSON.stringify({ store: './from-file.db', token: 'secret-token' }));
	const storeOf = async (args: string[], env: Record<string, string>) =>
		/from-\w+/.exec((await holdfast(['nodes', ...args], { env, folder })).note)?.[0];
	expect(await storeOf([], {})).toBe('from-file');
	expect(await storeOf([], { HOLDFAST_STORE: './from-variable.db' })).toBe('from-variable');
	expect(await storeOf(['--store', './from-flag.db'], { HOLDFAST_STORE: './from-variable.db' })).toBe('from-flag');
});

test.each([
	['is no JSON', '{ "token": secret }', /is not JSON/],
	['is no object', '[]', /one JSON object/],
	['has an unknown name', '{ "stroe": "x" }', /names "stroe"/],
	['has a value of another type', '{ "maxSessions": "many" }', /whole number/],
])('a configuration file that %s is a usage error', async (_, config, message) => {
	const { code, note } = await holdfast(['nodes'], { folder: folderWith(config) });
	expect(code).toBe(2);
	expect(note).toMatch(message);
	expect(note).not.toContain('secret');
});

test('doctor says what is wrong and how to repair it, and exits with 1; with 0 where nothing is', async () => {
	const redis = await RedisServer.create();
	onTestFinished(() => redis.dispose());
	const healthy = await holdfast(['doctor'], { env: { HOLDFAST_STORE: redis.url } });
	expect(healthy).toEqual({
		code: 0,
		out: `✓ Nothing is wrong with redis://127.0.0.1:${redis.port}.\n`,
		note: '',
	});
	await redis.client().config('SET', 'maxmemory-policy', 'allkeys-lru');
	expect(await holdfast(['doctor', '--store', redis.url])).toEqual({
		code: 1,
		out:
			'✗ The eviction policy is allkeys-lru: a full Redis drops sessions that are in use. [redis-eviction]\n' +
			'  CONFIG SET maxmemory-policy noeviction, and set it in redis.conf.\n',
		note: '',
	});
});
