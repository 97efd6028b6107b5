import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SessionManagerError } from '@holdfast/session-manager';
import { afterAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-copy-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('an error of another copy of this package is known, with its code; others are not', async () => {
	for (const name of ['dist/contract/session-manager-error.js', 'dist/contract/in-every-copy.js', 'package.json']) {
		for (const file of name.endsWith('.js') ? [name, `${name}.map`] : [name])
			cpSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), join(folder, basename(file)));
	}
	const copy = await import(/* @vite-ignore */ pathToFileURL(join(folder, 'session-manager-error.js')).href);
	expect(copy.SessionManagerError).not.toBe(SessionManagerError);
	const error: unknown = new copy.SessionManagerError('unavailable', 'away');
	expect(error instanceof SessionManagerError && error.code).toBe('unavailable');
	class Own extends SessionManagerError {}
	expect(new Own('limit', '') instanceof SessionManagerError).toBe(true);
	expect(new Own('limit', '') instanceof Own).toBe(true);
	for (const other of [error, new Error('x')]) expect(other instanceof Own).toBe(false);
	for (const other of [new Error('x'), { code: 'limit' }, null, undefined, 'limit'])
		expect((other as unknown) instanceof SessionManagerError).toBe(false);
});
