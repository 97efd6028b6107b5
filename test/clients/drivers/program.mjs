import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The file of a command that an installed package brings along. */
export function program(alias, command) {
	const folder = new URL(`../node_modules/${alias}/`, import.meta.url);
	const { bin } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
	return fileURLToPath(new URL(typeof bin === 'string' ? bin : bin[command], folder));
}
