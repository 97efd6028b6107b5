import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

test('the quick start in the README is the example that runs in CI', async () => {
	const readme = await readFile(`${root}README.md`, 'utf8');
	const example = await readFile(`${root}examples/quickstart/src/server.ts`, 'utf8');
	expect(readme).toContain(`\`\`\`ts\n${example}\`\`\`\n`);
});

test('the code in the README of the five patterns is theirs', async () => {
	const folder = `${root}examples/session-state/`;
	const [, ...chapters] = (await readFile(`${folder}README.md`, 'utf8')).split(/^## .*\((src\/\w+\.ts)\)$/m);
	const files = chapters.filter((_part, n) => n % 2 === 0);
	expect(files).toHaveLength(5);
	for (const file of files) {
		const chapter = chapters[chapters.indexOf(file) + 1] ?? '';
		const pieces = [...chapter.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => unindented(code));
		expect(pieces).not.toEqual([]);
		const source = unindented(await readFile(`${folder}${file}`, 'utf8'));
		for (const piece of pieces) expect(source).toContain(piece);
	}
});

function unindented(code: string): string {
	return code.replaceAll(/^\t+/gm, '');
}
