import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where `npm test` puts programs that the machine lacks. */
const provided = fileURLToPath(new URL('../../../.cache/bin', import.meta.url));

/** The file of a program: what `variable` names, or the first on PATH or in the folders of a system's services. */
export function findProgram(name: string, variable: string): string {
	const named = process.env[variable];
	if (named) return named;
	const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', provided];
	const file = folders.map((folder) => join(folder, name)).find(isExecutable);
	if (file !== undefined) return file;
	throw new Error(
		`${name} is needed: install it, set ${variable} to its file, or run npm test once, which provides it.`,
	);
}

function isExecutable(file: string): boolean {
	try {
		accessSync(file, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}
