import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
	PostgresInfoSessionManager,
	PostgresStreamSessionManager,
	postgresSessionManager,
} from '@holdfast/session-manager-postgres';
import { PostgresConversationStore } from '@holdfast/session-manager-postgres/conversations';
import { Client, Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';

const expected = "a URL such as 'postgres://localhost:5432/shop', or the configuration of a client of pg";

describe('what is no way to PostgreSQL', () => {
	it.each([
		[`${expected}, not undefined.`, undefined],
		[`${expected}, not null.`, null],
		[`${expected}, not 5432.`, 5432],
		[`${expected}, not a list.`, ['postgres://a']],
		[`${expected}; '' is no URL of PostgreSQL.`, ''],
		[`${expected}; 'localhost' is no URL of PostgreSQL.`, 'localhost'],
		[`${expected}; 'http://localhost:5432' is no URL of PostgreSQL.`, 'http://localhost:5432'],
		[`${expected}; 'postgres://…@db:x/y' is no URL of PostgreSQL.`, 'postgres://me:a/b@db:x/y'],
		[`${expected}; 'redis://…@db' is no URL of PostgreSQL.`, 'redis://me:secret@db'],
		[`${expected}; 'postgres://…' is no URL of PostgreSQL.`, 'postgres://:sec?ret@db'],
		[`${expected}; an object of class BoundPool is connected already: pass what it was made with.`, new Pool()],
		[`${expected}; an object of class Client is connected already: pass what it was made with.`, new Client()],
		[`${expected}, not a promise: await it first.`, Promise.resolve('postgres://a')],
	])('is refused when the managers are made: %s', (sentence, source) => {
		for (const Manager of [PostgresInfoSessionManager, PostgresStreamSessionManager, PostgresConversationStore]) {
			assert.throws(() => new Manager(source as never), {
				name: 'TypeError',
				message: `${Manager.name} needs ${sentence}`,
			});
		}
	});

	it('is told from options of another library: their URL goes by itself', () => {
		expect(() => postgresSessionManager({ url: 'postgres://localhost' } as never)).toThrow(
			'PostgresStreamSessionManager takes the URL itself, not an object with a url.',
		);
	});

	it('does not include a socket, or a configuration', async () => {
		for (const source of ['/var/run/postgresql shop', 'postgresql://a:b@c:1/d?sslmode=require', {}, { port: 1 }])
			await postgresSessionManager(source).close();
	});
});

describe('an option', () => {
	it('is checked, and may be one of either manager', async () => {
		const url = 'postgres://localhost/shop';
		expect(() => postgresSessionManager(url, { schemas: 'a' } as never)).toThrow(
			'PostgresStreamSessionManager has no option schemas. Did you mean schema?',
		);
		expect(() => new PostgresInfoSessionManager(url, { schema: 'a"b' })).toThrow(
			`PostgresInfoSessionManager: schema must be 1 to 63 letters, digits, "_" or "-" of ASCII, not 'a"b'.`,
		);
		expect(() => new PostgresStreamSessionManager(url, { durability: 'slow' as never })).toThrow(
			"PostgresStreamSessionManager: durability must be 'fast' or 'strict', not 'slow'.",
		);
		expect(() => new PostgresStreamSessionManager(url, { listenUrl: 'http://localhost' })).toThrow(
			`The option listenUrl of PostgresStreamSessionManager needs ${expected}; 'http://localhost' is no URL of PostgreSQL.`,
		);
		expect(() => new PostgresConversationStore(url, { durability: 'fast' } as never)).toThrow(
			'PostgresConversationStore has no option durability.',
		);
		await postgresSessionManager(url, { schema: 'a', maxSessions: 5, listenUrl: url, ssl: false }).close();
	});
});

describe('a PostgreSQL that cannot be reached', () => {
	it('is named in the error, without its password', async () => {
		const proxy = await TcpProxy.to(1);
		proxy.refuse();
		await using pair = postgresSessionManager(`postgres://me:secret@127.0.0.1:${proxy.port}/shop`);
		for (const work of [() => pair.info.read('s'), () => pair.streams.has('s')]) {
			await assert.rejects(async () => work(), {
				code: 'unavailable',
				message: `PostgreSQL at 127.0.0.1:${proxy.port} is unavailable; try again later.`,
			});
		}
		await proxy.dispose();
	});
});

it('without the package pg, every call says how to install it', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-no-pg-'));
	const own = fileURLToPath(new URL('..', import.meta.url));
	const modules = join(folder, 'node_modules');
	mkdirSync(join(modules, '@holdfast'), { recursive: true });
	const copy = join(modules, '@holdfast', 'session-manager-postgres');
	for (const part of ['dist', 'package.json']) cpSync(join(own, part), join(copy, part), { recursive: true });
	for (const name of ['@holdfast/session-manager', 'valibot'])
		symlinkSync(join(own, 'node_modules', name), join(modules, name));
	const program = `
		import { PostgresInfoSessionManager } from '@holdfast/session-manager-postgres';
		const info = new PostgresInfoSessionManager('postgres://localhost/shop');
		const server = setInterval(() => {}, 1_000);
		await info.read('s').catch(({ code, message }) => console.log(code, message));
		info.close();
		clearInterval(server);
	`;
	const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
		cwd: folder,
	});
	assert.equal(stdout, 'unavailable PostgreSQL needs the package pg, which cannot be loaded: npm install pg.\n');
	rmSync(folder, { recursive: true });
});
