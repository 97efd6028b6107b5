import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const packages = fileURLToPath(new URL('../packages/', import.meta.url));
const fence = /^([ \t]*\* ?)```ts source="([^"#]+)#([^"]+)"\n((?:[ \t]*\*.*\n)*?)[ \t]*\* ?```$/gm;

/** An example in a doc comment: code that must be the body of a region in a file that the compiler checks. */
interface DocExample {
	readonly where: string;
	readonly file: string;
	readonly region: string;
	readonly code: string;
}

const sources = readdirSync(packages).flatMap((name) =>
	existsSync(`${packages}${name}/src`)
		? readdirSync(`${packages}${name}/src`, { recursive: true, encoding: 'utf8' })
				.filter((file) => file.endsWith('.ts'))
				.map((file) => `${packages}${name}/src/${file}`)
		: [],
);
const examples = sources.flatMap(examplesIn);
const classes = sources.filter((file) => /\/src\/(index|custom|testing)\.ts$/.test(file)).flatMap(classesOf);

function examplesIn(source: string): DocExample[] {
	return [...readFileSync(source, 'utf8').matchAll(fence)].map(
		([, prefix = '', path = '', region = '', code = '']) => ({
			where: `${relative(packages, source)}#${region}`,
			file: fileOf(source, path),
			region,
			code: code
				.split('\n')
				.slice(0, -1)
				.map((line) => (line.startsWith(prefix) ? line.slice(prefix.length) : ''))
				.join('\n'),
		}),
	);
}

/** A path is relative to the file of the comment, or to the package. */
function fileOf(source: string, path: string): string {
	const beside = resolve(dirname(source), path);
	return existsSync(beside) ? beside : resolve(source.slice(0, source.indexOf('/src/')), path);
}

/** Returns the code of a region without its common indent; `undefined` when there is no such region. */
function regionOf(file: string, region: string): string | undefined {
	const lines = readFileSync(file, 'utf8').split('\n');
	const begin = lines.findIndex((line) => line.trim() === `//#region ${region}`);
	const end = lines.findIndex((line) => line.trim() === `//#endregion ${region}`);
	if (begin === -1 || end < begin) return undefined;
	const body = lines.slice(begin + 1, end);
	const indents = body.filter((line) => line !== '').map((line) => /^\t*/.exec(line)?.[0].length ?? 0);
	return body.map((line) => line.slice(Math.min(...indents))).join('\n');
}

/** Returns the classes that an entry exports, each with the doc comment right above its declaration. */
function classesOf(entry: string): { name: string; comment: string }[] {
	const text = readFileSync(entry, 'utf8');
	const own = [...text.matchAll(/^export (?:abstract )?class (\w+)/gm)].map(([, name = '']) => ({ name, file: entry }));
	const others = [...text.matchAll(/^export \{([^}]*)\} from '(\.[^']*)\.js';$/gm)].flatMap(([, names = '', path]) =>
		names
			.split(',')
			.map((name) => name.trim())
			.filter((name) => /^\w+$/.test(name))
			.map((name) => ({ name, file: resolve(dirname(entry), `${path}.ts`) })),
	);
	return [...own, ...others].flatMap(({ name, file }) => {
		const code = readFileSync(file, 'utf8');
		const declaration = new RegExp(`^export (?:abstract )?class ${name}\\b`, 'm').exec(code);
		if (declaration === null) return [];
		const before = code.slice(0, declaration.index);
		const comment = before.endsWith('*/\n') ? before.slice(before.lastIndexOf('/**')) : '';
		return [{ name: `${name} of ${relative(packages, entry)}`, comment }];
	});
}

describe('examples in doc comments', () => {
	test('there are examples and public classes', () => {
		expect(examples.length).toBeGreaterThan(20);
		expect(classes.length).toBeGreaterThan(12);
	});

	test.each(examples)('$where is the code of a compiled file', ({ file, region, code }) => {
		expect(existsSync(file), file).toBe(true);
		expect(code).toBe(regionOf(file, region));
	});

	test.each(sources)('%s names a source for each of its examples', (source) => {
		const text = readFileSync(source, 'utf8');
		expect(text.match(/^[ \t]*\* @example/gm)?.length ?? 0).toBe(examplesIn(source).length);
	});

	test.each(classes)('$name has an example', ({ comment }) => {
		expect(comment).toMatch(/^ \* @example/m);
	});
});
