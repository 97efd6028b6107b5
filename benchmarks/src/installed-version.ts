import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The version of the package that provides `specifier`, as installed for this one. */
export function installedVersion(name: string, specifier = name): string {
	let folder = new URL('.', import.meta.resolve(specifier));
	while (folder.pathname !== '/') {
		const manifest = manifestIn(folder);
		if (manifest?.name === name) return manifest.version ?? 'of no version';
		folder = new URL('..', folder);
	}
	throw new Error(`No manifest of ${name} was found.`);
}

function manifestIn(folder: URL): { name?: string; version?: string } | undefined {
	try {
		return JSON.parse(readFileSync(fileURLToPath(new URL('package.json', folder)), 'utf8'));
	} catch {
		return undefined;
	}
}
