import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const maxColumns = 120;
/** The rooms of the workspace and the documents at its top, but no lockfile or picture; strings in JSON stay whole. */
const checked = /^((apps|examples|packages|scripts|test)\/.+(?<!\.(json|png)|-lock\.yaml)|[^/]+\.md)$/;

test('no line of code, comments or Markdown is longer than 120 columns', async () => {
	const tooLong: string[] = [];
	for (const file of await checkedFiles()) {
		const lines = (await readFile(root + file, 'utf8')).split('\n');
		lines.forEach((line, n) => {
			if (columns(file, line) > maxColumns) tooLong.push(`${file}:${n + 1}`);
		});
	}
	expect(tooLong).toEqual([]);
});

/** The files of the repository, also those that are not committed yet. */
async function checkedFiles(): Promise<string[]> {
	const args = ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate', '-z'];
	const { stdout } = await promisify(execFile)('git', args, { cwd: root });
	const files = stdout.split('\0').filter((file) => checked.test(file) && existsSync(root + file));
	expect(files).toEqual(expect.arrayContaining(['README.md', 'test/line-length.test.ts']));
	return files;
}

/**
 * The width of a line, with tabs as wide as the formatter has them. What cannot be broken does not count: URLs, rows of
 * tables in Markdown, and strings in code.
 */
function columns(file: string, line: string): number {
	if (file.endsWith('.md') && line.trimStart().startsWith('|')) return 0;
	let breakable = line.replaceAll(/https?:\/\/\S+/g, '').replaceAll('\t', '  ');
	const isComment = /^\s*(\/?\*|\/\/|--)/.test(line);
	if (!file.endsWith('.md') && !isComment) breakable = breakable.replaceAll(/(['"`]).*?\1/g, '$1$1');
	return [...breakable].length;
}
