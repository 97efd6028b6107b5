import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Every file of the repository, and none of what was installed or built. */
const files = (await Promise.all((await readdir(root)).map(filesBelow))).flat();
const documents = await Promise.all(
	files
		.filter((path) => path.endsWith('.md'))
		.map(async (path) => ({ path, text: await readFile(join(root, path), 'utf8') })),
);

test('the quick start in the README is the example that runs in CI', async () => {
	const readme = await readFile(`${root}README.md`, 'utf8');
	const example = await readFile(`${root}examples/quickstart/src/server.ts`, 'utf8');
	expect(readme).toContain(`\`\`\`ts\n${example}\`\`\`\n`);
});

test('the code in the README of the five patterns is theirs', async () => {
	const folder = `${root}examples/session-state/`;
	const [, ...chapters] = (await readFile(`${folder}README.md`, 'utf8')).split(/^## .*\((src\/\w+\.ts)\)$/m);
	const patterns = chapters.filter((_part, n) => n % 2 === 0);
	expect(patterns).toHaveLength(5);
	for (const file of patterns) {
		const chapter = chapters[chapters.indexOf(file) + 1] ?? '';
		const pieces = [...chapter.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => unindented(code));
		expect(pieces).not.toEqual([]);
		const source = unindented(await readFile(`${folder}${file}`, 'utf8'));
		for (const piece of pieces) expect(source).toContain(piece);
	}
});

test('every link in a document leads to a file, and every anchor to a heading of it', () => {
	const dead = documents.flatMap(({ path, text }) =>
		[...text.matchAll(/\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)/g)]
			.filter(
				([, to = '', anchor = '']) => !leadsSomewhere(join(dirname(path), to), to === '' ? text : undefined, anchor),
			)
			.map(([link]) => `${path}: ${link}`),
	);
	expect(dead).toEqual([]);
});

test('the architecture names files and tests that are there', async () => {
	const architecture = await readFile(`${root}ARCHITECTURE.md`, 'utf8');
	const tests = new Set(files.filter((path) => path.endsWith('.test.ts')).map((path) => basename(path)));
	const named = [...architecture.matchAll(/`([\w./-]+\.ts)`/g)].map(([, name = '']) => name);
	expect(named.length).toBeGreaterThan(50);
	expect(named.filter((name) => !tests.has(name) && !existsSync(`${root}packages/${name}`))).toEqual([]);
	expect(architecture.match(/^\*\*\d+\. /gm)).toHaveLength(12);
});

test('the limits in SECURITY.md are those of the code', async () => {
	const sources = await Promise.all(
		files
			.filter((path) => /^packages\/(session-manager|transport|transport-http|conversations)\/src\/.*\.ts$/.test(path))
			.map((path) => readFile(join(root, path), 'utf8')),
	);
	const code = sources.join('\n');
	const security = await readFile(`${root}SECURITY.md`, 'utf8');
	const rows = [...security.matchAll(/^\| (.*?) \| (`\w+`|fixed) \| (.*) \|$/gm)];
	const limits = rows.map(([, what = '', option = '', stated = '']) => ({ what, option, stated }));
	expect(limits.length).toBeGreaterThan(20);
	const untrue = limits.filter(({ what, option, stated }) =>
		option === 'fixed' ? fixedLimits[what]?.(stated, code) !== true : !stated.startsWith(defaultOf(option, code)),
	);
	expect(untrue).toEqual([]);
});

/** Whether a limit that is no option is stated as it is in the code. */
const fixedLimits: Readonly<Record<string, (stated: string, code: string) => boolean>> = {
	'what a client says in `initialize`': (stated, code) =>
		stated === '64 KiB, 1,000 values' && /MAX_BYTES = 64 \* 1024;[^=]*MAX_VALUES = 1_000;/.test(code),
	'state of a session': (stated, code) =>
		stated === '10 MiB, 1 MiB a value' &&
		code.includes('MAX_STATE_BYTES = 10 * 1024 * 1024;') &&
		code.includes('MAX_VALUE_BYTES = 1024 * 1024;'),
};

/** What the doc comment of `option` says of its default, as a table does. */
function defaultOf(option: string, code: string): string {
	const name = option.replaceAll('`', '');
	const [, value = 'unknown'] =
		new RegExp(`@default (.*)(?:\\n[\\s*]*)*/\\n\\s*readonly ${name}\\??:`).exec(code) ?? [];
	if (value === '0') return 'no limit';
	return /\((.*?)\)/.exec(value)?.[1] ?? value.replaceAll('_', ',');
}

/** What programs write, and what describes a rig beside its code. */
const written = /^(benchmarks\/(RESULTS\.md|results\/.*)|.*\/CHANGELOG\.md|test\/.*)$/;

test('prose wraps at 120 columns', () => {
	const long = documents
		.filter(({ path }) => !written.test(path))
		.flatMap(({ path, text }) =>
			text
				.replaceAll(/^```[\s\S]*?^```$/gm, '')
				.split('\n')
				.filter((line) => line.length > 120 && !line.startsWith('|'))
				.map((line) => `${path}: ${line}`),
		);
	expect(long).toEqual([]);
});

/**
 * Whether `path` is there, with a heading for `anchor` where one is given. `own` is the text of the document itself.
 */
function leadsSomewhere(path: string, own: string | undefined, anchor: string): boolean {
	if (own === undefined && !existsSync(join(root, path))) return false;
	if (anchor === '') return true;
	const text = own ?? documents.find((document) => [path, `${path}/README.md`].includes(document.path))?.text ?? '';
	const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => slugOf(heading));
	return headings.includes(anchor.slice(1));
}

function slugOf(heading: string): string {
	return heading
		.toLowerCase()
		.replaceAll(/[^\w\s-]/g, '')
		.replaceAll(' ', '-');
}

async function filesBelow(entry: string): Promise<string[]> {
	if (entry === 'node_modules' || (entry.startsWith('.') && entry !== '.changeset')) return [];
	if (!(await stat(join(root, entry))).isDirectory()) return [entry];
	const below = await readdir(join(root, entry), { recursive: true });
	return below.filter((path) => !/(^|\/)(node_modules|dist)\//.test(path)).map((path) => join(entry, path));
}

function unindented(code: string): string {
	return code.replaceAll(/^\t+/gm, '');
}
