import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { notAboveFiles } from '../../../test/support/not-above-files.ts';
import { diagnose } from '../src/index.ts';

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** A file of sessions in a folder of its own. */
async function sessionFile(): Promise<{ readonly folder: string; readonly path: string }> {
	const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const path = join(folder, 'sessions.db');
	const manager = sqliteSessionManager(path);
	await manager.info.read('nobody');
	await manager.close();
	return { folder, path };
}

test('nothing is found in a file that servers can use', async () => {
	const { path } = await sessionFile();
	expect((await diagnose({ store: path })).findings).toEqual([]);
});

test('a file that cannot be written is found', async () => {
	const { folder, path } = await sessionFile();
	chmodSync(path, 0o444);
	chmodSync(folder, 0o555);
	const { code, out } = await new Promise<{ code: unknown; out: string }>((resolve) => {
		const command = notAboveFiles([program, 'doctor', '--json', '--store', path]);
		execFile(...command, { cwd: '/' }, (error, stdout) => resolve({ code: error?.code, out: stdout }));
	});
	expect({ code, findings: JSON.parse(out).findings }).toEqual({
		code: 1,
		findings: [
			{
				code: 'sqlite-file',
				what: expect.stringMatching(/cannot be written|cannot be read or written/),
				repair: expect.stringMatching(/user that runs the servers/),
			},
		],
	});
});

test('a file that is damaged is found', async () => {
	const { path } = await sessionFile();
	writeFileSync(path, 'this is no database, and long enough not to be an empty one');
	expect((await diagnose({ store: path })).findings).toMatchObject([{ code: 'sqlite-file' }]);
});

test('a file that is not there is found, and is not made', async () => {
	const { folder } = await sessionFile();
	const store = join(folder, 'missing.db');
	for (const _ of [1, 2])
		expect(await diagnose({ store })).toMatchObject({
			findings: [{ code: 'store-unreachable', what: expect.stringContaining('missing.db') }],
			unreachable: true,
		});
});
