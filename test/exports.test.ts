import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseSync } from 'vite';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const entries = await publicEntries();

interface Entry {
	/** What a user imports: the package's name, or a path below it. */
	readonly specifier: string;
	/** The built module. */
	readonly module: string;
	readonly values: readonly string[];
	readonly types: readonly string[];
}

// After a change that is meant, `npx vitest run test/exports.test.ts -u` writes the listing anew.
test('the packages export what exports.txt lists', async () => {
	const listing = entries.map(
		({ specifier, values, types }) =>
			`${specifier}\n${[...values, ...types.map((name) => `type ${name}`)].map((line) => `  ${line}\n`).join('')}`,
	);
	await expect(listing.join('\n')).toMatchFileSnapshot('exports.txt');
});

test.each(entries)('$specifier exports its listed values when it is loaded', async ({ module, values }) => {
	const loaded = await import(pathToFileURL(module).href);
	expect(Object.keys(loaded).sort()).toEqual(values);
});

async function publicEntries(): Promise<Entry[]> {
	const found: Entry[] = [];
	for (const name of (await readdir(join(root, 'packages'))).sort()) {
		const folder = join(root, 'packages', name);
		const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
		for (const [path, target] of Object.entries<{ default: string } | string>(manifest.exports)) {
			if (typeof target === 'string') continue;
			const source = target.default.replace('/dist/', '/src/').replace(/\.js$/, '.ts');
			found.push({
				specifier: join(manifest.name, path),
				module: join(folder, target.default),
				...exportsOf(source, await readFile(join(folder, source), 'utf8')),
			});
		}
	}
	return found;
}

/** The names that a module exports, sorted; every one must be written out. */
function exportsOf(file: string, code: string): { values: string[]; types: string[] } {
	const exports = parseSync(file, code).module.staticExports.flatMap((statement) => statement.entries);
	const nameOf = ({ exportName }: (typeof exports)[number]): string => {
		if (exportName.kind === 'None') throw new Error(`${file} exports all of a module instead of names.`);
		return exportName.name ?? 'default';
	};
	return {
		values: exports
			.filter(({ isType }) => !isType)
			.map(nameOf)
			.sort(),
		types: exports
			.filter(({ isType }) => isType)
			.map(nameOf)
			.sort(),
	};
}
