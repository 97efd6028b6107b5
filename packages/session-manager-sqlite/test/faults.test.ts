import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs, { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SessionManagerError } from '@holdfast/session-manager';
import { type SqliteDatabase, type SqliteSessionManager, sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { after, open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { notAboveFiles } from '../../../test/support/not-above-files.ts';
import { until } from '../../../test/support/until.ts';
import { networkOf } from '../src/file/file.ts';
import { isSafe, openConnection } from '../src/open-connection.ts';
import { migrations } from '../src/schema.ts';
import { SessionFile } from './support/session-file.ts';

const files: SessionFile[] = [];
const opened: SqliteSessionManager[] = [];
afterEach(async () => {
	await Promise.all(opened.splice(0).map((managers) => managers.close()));
	for (const file of files.splice(0)) file[Symbol.dispose]();
});

function newFile(): SessionFile {
	const file = new SessionFile();
	files.push(file);
	return file;
}

/** Both managers on a file, and what they said in the background. */
function managersOn(source: string | SqliteDatabase): SqliteSessionManager & { readonly said: string[] } {
	const managers = sqliteSessionManager(source);
	const said: string[] = [];
	managers.streams.onerror = managers.info.onerror = (error) => said.push(error.message);
	opened.push(managers);
	return { ...managers, said };
}

const refusal = (text: RegExp) => ({ code: 'unavailable', message: text });

describe('a file', () => {
	it('is made for its owner alone, and all that is beside it', async () => {
		const file = newFile();
		const { streams } = managersOn(file.path);
		await open(streams, 's');
		const folder = dirname(file.path);
		const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
		expect(names.length).toBeGreaterThanOrEqual(7);
		for (const name of names) {
			const stats = statSync(`${folder}/${name}`);
			assert.equal(stats.mode & 0o777, stats.isDirectory() ? 0o700 : 0o600, name);
		}
	});

	it('leaves nothing of a process that has closed it', async () => {
		const file = newFile();
		const managers = managersOn(file.path);
		await open(managers.streams, 's');
		await managers.close();
		assert.deepEqual(readdirSync(`${file.path}-processes`), []);
		assert.equal(statSync(`${file.path}-wal`, { throwIfNoEntry: false })?.size ?? 0, 0);
	});

	it('that is moved away is said to be gone, is not made anew, and is used again when it is back', async () => {
		const file = newFile();
		const { streams, info, said } = managersOn(file.path);
		await info.create(sampleRecord('s'));
		const client = await open(streams, 's');
		file.takeAway();
		await assert.rejects(async () => info.read('s'), refusal(/sessions\.db is gone: put it back, or restart/));
		await assert.rejects(async () => streams.send(['s'], sse(1)), refusal(/is gone/));
		file.putBack();
		assert.equal((await info.read('s'))?.id, 's');
		await streams.send(['s'], sse(2));
		assert.deepEqual(await client.hears(2), ['2']);
		// Each of the managers says so once.
		assert.equal(said.filter((text) => /is gone/.test(text)).length, 2);
	});

	it('that cannot be reached, for whatever reason, ends no process, and is used again when it can be', async () => {
		const file = newFile();
		const { streams, info, said } = managersOn(file.path);
		await info.create(sampleRecord('s'));
		const client = await open(streams, 's');
		file.leadAstray();
		await until('it is noticed by itself', () => said.some((text) => /cannot be reached: ELOOP/.test(text)));
		await assert.rejects(async () => info.read('s'), refusal(/sessions\.db cannot be reached: ELOOP/));
		await assert.rejects(async () => streams.send(['s'], sse(1)), refusal(/cannot be reached/));
		file.putBack();
		assert.equal((await info.read('s'))?.id, 's');
		await streams.send(['s'], sse(2));
		assert.deepEqual(await client.hears(2), ['2']);
	});

	it('is not needed for a message that was committed: what cannot be noted beside it stops nobody', async () => {
		const file = newFile();
		const { streams, said } = managersOn(file.path);
		const client = await open(streams, 's');
		const { writeSync } = fs;
		fs.writeSync = (() => {
			throw new Error('ENOSPC: no space left on device, write');
		}) as typeof writeSync;
		syncBuiltinESMExports();
		try {
			await streams.send(['s'], sse(1));
			assert.deepEqual(await client.hears(1), ['1']);
		} finally {
			fs.writeSync = writeSync;
			syncBuiltinESMExports();
		}
		await streams.send(['s'], sse(2));
		assert.deepEqual(await client.hears(2), ['1', '2']);
		assert.deepEqual([...new Set(said)], ['ENOSPC: no space left on device, write']);
	});

	it('leaves nothing behind of a process that cannot take part, because the disk is full', async () => {
		const file = newFile();
		const { streams, info } = managersOn(file.path);
		await info.create(sampleRecord('s'));
		const { writeSync } = fs;
		const opened: number[] = [];
		const { closeSync, openSync } = fs;
		fs.openSync = ((...args: Parameters<typeof openSync>) => {
			const fd = openSync(...args);
			opened.push(fd);
			return fd;
		}) as typeof openSync;
		fs.closeSync = (fd) => {
			closeSync(fd);
			opened.splice(opened.indexOf(fd), 1);
		};
		fs.writeSync = (() => {
			throw new Error('ENOSPC: no space left on device, write');
		}) as typeof writeSync;
		syncBuiltinESMExports();
		try {
			for (let n = 0; n < 5; n++) await assert.rejects(open(streams, 's'));
		} finally {
			Object.assign(fs, { writeSync, closeSync, openSync });
			syncBuiltinESMExports();
		}
		assert.deepEqual([opened, readdirSync(`${file.path}-processes`)], [[], []]);
		await open(streams, 's');
	});

	it('has room for what a process notes beside it from the moment when that takes part', async () => {
		const file = newFile();
		await open(managersOn(file.path).streams, 's');
		const folder = `${file.path}-processes`;
		const cursors = readdirSync(folder).filter((name) => name.endsWith('.cursor'));
		assert.deepEqual(
			cursors.map((name) => statSync(`${folder}/${name}`).size),
			[8],
		);
	});

	it('that is replaced is recognised: its sessions count, and whoever resumes is told to read again', async () => {
		const file = newFile();
		const { streams, info, said } = managersOn(file.path);
		await info.create(sampleRecord('old'));
		const client = await open(streams, 'old');
		await streams.send(['old'], sse(1));
		const backup = newFile();
		await managersOn(backup.path).close();
		const other = managersOn(backup.path);
		await other.info.create(sampleRecord('new'));
		await other.close();
		file.replace(readFileSync(backup.path));
		await until('the new file is read', async () => (await info.read('new'))?.id === 'new');
		assert.equal(await info.read('old'), undefined);
		await client.end();
		assert.equal((await open(streams, 'old', after(client))).continuation, 'gap');
		assert.ok(said.some((text) => /was replaced by another file/.test(text)));
	});

	it('that is restored from a backup, as the README says, is known to have forgotten what clients have seen', async () => {
		const file = newFile();
		const before = managersOn(file.path);
		await before.streams.send(['s'], sse('before the backup'));
		const backup = newFile();
		const database = new DatabaseSync(file.path);
		database.exec(`VACUUM INTO '${backup.path}'`);
		database.close();
		const copy = new DatabaseSync(backup.path);
		copy.exec("UPDATE holdfast_world SET boot = ''");
		copy.close();
		const client = await open(before.streams, 's');
		for (let n = 1; n <= 5; n++) await before.streams.send(['s'], sse(n));
		await client.hears(5);
		await before.close();
		file.replace(readFileSync(backup.path));
		const { streams } = managersOn(file.path);
		for (let n = 1; n <= 10; n++) await streams.send(['s'], sse(`after ${n}`));
		assert.equal((await open(streams, 's', after(client))).continuation, 'gap');
	});

	it('that is no database is refused and stays as it is', async () => {
		const file = newFile();
		const text = 'These are the notes of somebody who does not want to lose them.\n'.repeat(100);
		writeFileSync(file.path, text);
		const { info } = managersOn(file.path);
		await assert.rejects(async () => info.read('s'), { code: 'corrupt', message: /is damaged, or is no database/ });
		assert.equal(readFileSync(file.path, 'utf8'), text);
	});

	it('that nobody may write is refused with a sentence', () => {
		const file = newFile();
		const folder = dirname(file.path);
		new DatabaseSync(file.path).close();
		chmodSync(file.path, 0o444);
		chmodSync(folder, 0o555);
		const program = fileURLToPath(new URL('./support/read-only.mjs', import.meta.url));
		const { stdout } = spawnSync(...notAboveFiles([program, file.path]), { encoding: 'utf8' });
		chmodSync(folder, 0o755);
		assert.match(stdout, /^unavailable .*sessions\.db cannot be (written|read or written)/);
	});

	it('on a full disk refuses what is new, serves what is there, and goes on when there is room', async () => {
		const file = newFile();
		let most = 2 ** 30;
		const connections: InstanceType<typeof DatabaseSync>[] = [];
		class Limited extends DatabaseSync {
			constructor(path: string) {
				super(path);
				if (path !== ':memory:') connections.push(this);
			}
		}
		const limit = (pages: number) => {
			most = pages;
			for (const connection of connections) connection.exec(`PRAGMA max_page_count = ${most}`);
		};
		const template = new Limited(file.path);
		connections.length = 0;
		const { streams, info, said } = managersOn(template as unknown as SqliteDatabase);
		await info.create(sampleRecord('s'));
		limit(1);
		const text = 'x'.repeat(100_000);
		await assert.rejects(async () => streams.send(['s'], sse(text)), refusal(/^The disk of .*sessions\.db is full\.$/));
		assert.equal((await info.read('s'))?.id, 's');
		limit(2 ** 30);
		await streams.send(['s'], sse(1));
		assert.deepEqual((await open(streams, 's')).texts, ['1']);
		assert.equal(said.filter((each) => /is full/.test(each)).length, 2);
		template.close();
	});

	it('on a network disk is refused', () => {
		assert.deepEqual([0x6969, 0xff534d42, 0xfe534d42, 0x01021997].map(networkOf), ['NFS', 'SMB', 'SMB', '9P']);
		// ext4, btrfs, xfs, tmpfs, overlay, zfs.
		const local = [0xef53, 0x9123683e, 0x58465342, 0x01021994, 0x794c7630, 0x2fc12fc1];
		assert.deepEqual(
			local.map(networkOf),
			local.map(() => undefined),
		);
	});

	it('must be one: neither memory nor a URL', () => {
		for (const name of [':memory:', '', 'file:sessions.db?mode=memory']) {
			assert.throws(() => sqliteSessionManager(name), { name: 'TypeError', message: /needs the path of a file/ });
		}
		const memory = new DatabaseSync(':memory:') as unknown as SqliteDatabase;
		assert.throws(() => sqliteSessionManager(memory), { name: 'TypeError', message: /has no file/ });
	});
});

describe('a version of SQLite', () => {
	it('may share the file unless it has the WAL-reset bug', () => {
		const safe = ['3.44.6', '3.50.7', '3.51.3', '3.52.0', '3.53.4', '4.0.0'];
		const unsafe = ['3.7.0', '3.44.5', '3.45.1', '3.49.2', '3.50.6', '3.51.2'];
		assert.deepEqual([...safe, ...unsafe].filter(isSafe), safe);
	});

	it('with that bug has the file alone, and says so to whoever else wants it', async () => {
		const file = newFile();
		const old = (path: string) => new OldDatabase(path) as unknown as SqliteDatabase;
		class OldDatabase extends DatabaseSync {
			override prepare(sql: string) {
				return super.prepare(sql.replace('sqlite_version()', `'3.49.1'`));
			}
		}
		const template = old(file.path);
		const first = managersOn(template);
		await first.info.create(sampleRecord('s'));
		await first.streams.send(['s'], sse(1));
		const second = managersOn(old(file.path));
		await assert.rejects(
			async () => second.info.read('s'),
			refusal(/^SQLite 3\.49\.1 can damage a file that several processes write, and another one uses .*: use 3\.51\.3/),
		);
		assert.equal((await first.info.read('s'))?.id, 's');
		template.close();
	}, 20_000);
});

describe('an older or a newer file', () => {
	const driver = { open: (path: string) => new DatabaseSync(path) as unknown as SqliteDatabase, module: undefined };
	const id = migrations.length + 1;
	const next = { id, breaking: true, sql: 'CREATE TABLE holdfast_next (id INTEGER PRIMARY KEY)' };

	it('is migrated in one transaction, and a copy of how it was is kept', async () => {
		const file = newFile();
		const managers = managersOn(file.path);
		await managers.info.create(sampleRecord('s'));
		await managers.close();
		const failing = { ...next, sql: `${next.sql}; CREATE TABLE holdfast_next (twice)` };
		await assert.rejects(openConnection(file.path, driver, 0, [...migrations, failing]));
		const { connection } = await openConnection(file.path, driver, 0, [...migrations, next]);
		assert.deepEqual(
			connection.all('SELECT id FROM holdfast_migration').map(({ id }) => id),
			[...migrations.map((migration) => migration.id), id],
		);
		connection.close();
		const copy = `${file.path}.before-${id}`;
		assert.equal(statSync(copy).mode & 0o777, 0o600);
		const before = managersOn(copy);
		assert.equal((await before.info.read('s'))?.id, 's');
	});

	it('that kept tasks as sessions has none among them, and can be used by the older version at the same time', async () => {
		const file = newFile();
		writeFileSync(file.path, '');
		const { connection } = await openConnection(file.path, driver, 0, migrations.slice(0, 2));
		const add = (id: string, principal: string | null, owner: string) => {
			const record = JSON.stringify({ ...sampleRecord(id), ...(principal !== null && { principal }) });
			connection.run(
				`INSERT INTO holdfast_session (id, principal, owner, verified, record, last_used_at, used_at, over_at, ends,
				gone, reap_at, counted, state_bytes, versions) VALUES (?, ?, ?, 1, ?, 0, 0, 9e15, 9e15, 9e15, 9e15, 1, 0, 0)`,
				id,
				principal,
				owner,
				record,
			);
			connection.run('UPDATE holdfast_world SET sessions = sessions + 1');
			connection.run('INSERT INTO holdfast_owner VALUES (?, 1)', owner);
		};
		add('s1', 'alice', 'principal:alice');
		add('task 1', 'task\nalice', 'principal:task\nalice');
		add('task 2', null, 'unverified:');
		const { info } = managersOn(file.path);
		const { records } = await info.scan(undefined, 10);
		assert.deepEqual(
			records.map(({ id }) => id),
			['s1'],
		);
		const task = await info.read('task 1');
		assert.deepEqual([task?.kind, task?.principal], ['task', 'alice']);
		assert.deepEqual(await info.sessionsOf('alice', 'task'), ['task 1']);
		assert.equal((await info.read('task 2'))?.kind, 'task');
		await info.create(sampleRecord('task 3', { kind: 'task' }));
		connection.run(`DELETE FROM holdfast_session WHERE id = 'task 2'`);
		expect(connection.get('SELECT sessions, records FROM holdfast_world')).toEqual({ sessions: 1, records: 2 });
		expect(connection.all('SELECT owner, sessions FROM holdfast_owner')).toEqual([
			{ owner: 'principal:alice', sessions: 1 },
		]);
		connection.close();
	});

	it('is refused where only a newer version can work with it, and stays as it is', async () => {
		const file = newFile();
		writeFileSync(file.path, '');
		(await openConnection(file.path, driver, 0, [...migrations, next])).connection.close();
		const { info, said } = managersOn(file.path);
		await assert.rejects(async () => info.read('s'), refusal(new RegExp(`has migration ${id}, .* upgrade this node`)));
		assert.equal(said.length, 2);
		const { connection } = await openConnection(file.path, driver, 0, [...migrations, next]);
		assert.equal(connection.all('SELECT id FROM holdfast_next').length, 0);
		connection.close();
	});
});

it('a connection of the caller is a template only: it is neither used nor closed', async () => {
	const file = newFile();
	const own = new DatabaseSync(file.path);
	own.exec('PRAGMA journal_mode = WAL; CREATE TABLE notes (text)');
	const managers = managersOn(own as unknown as SqliteDatabase);
	await managers.info.create(sampleRecord('s'));
	own.exec(`BEGIN; INSERT INTO notes VALUES ('mine')`);
	await assert.rejects(
		async () => managers.info.create(sampleRecord('t')),
		(error: unknown) => error instanceof SessionManagerError && /is locked by another process/.test(error.message),
	);
	own.exec('ROLLBACK');
	assert.equal(await managers.info.create(sampleRecord('t')), true);
	await managers.close();
	assert.equal(own.prepare('SELECT count(*) AS count FROM notes').get()?.['count'], 0);
	own.close();
});
