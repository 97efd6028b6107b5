// Programs that npm cannot install: found on the machine, installed with apt-get, or unpacked into .cache/.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Each program: the variable that may name its file, and the Debian package that has it; `beside`: what else of its
 * folder is needed.
 */
const services = {
	caddy: { variable: 'CADDY', package: 'caddy' },
	chromium: { variable: 'CHROMIUM', package: 'chromium' },
	haproxy: { variable: 'HAPROXY', package: 'haproxy' },
	'nats-server': { variable: 'NATS_SERVER', package: 'nats-server' },
	nginx: { variable: 'NGINX', package: 'nginx' },
	postgres: { variable: 'POSTGRES', package: 'postgresql', beside: ['initdb'] },
	'redis-server': { variable: 'REDIS_SERVER', package: 'redis-server' },
	wrk: { variable: 'WRK', package: 'wrk' },
};

/** Gives `env` with a PATH on which every named program is found; throws one line that says what to install. */
export function provide(names, root, env) {
	const bin = join(root, '.cache', 'bin');
	const path = () => [bin, env.PATH ?? '', '/usr/sbin', '/sbin', ...postgresFolders('/')].join(delimiter);
	for (const name of names) {
		const service = services[name];
		const named = env[service.variable];
		if (named) link(named, bin, name);
		if (onPath(name, path())) continue;
		console.log(`${name} is not on this machine yet: getting it from Debian's package ${service.package}.`);
		if (installed(name, service, path) || unpacked(name, service, root)) continue;
		throw new Error(
			`${name} is needed: install it (Debian: apt-get install ${service.package}) or set ${service.variable} to its file.`,
		);
	}
	return { ...env, PATH: path() };
}

function onPath(name, path) {
	return path.split(delimiter).some((folder) => executable(join(folder, name)));
}

function executable(file) {
	try {
		accessSync(file, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}

function link(file, bin, name) {
	if (!executable(file)) throw new Error(`${services[name].variable} names ${file}, which is not a program.`);
	mkdirSync(bin, { recursive: true });
	rmSync(join(bin, name), { force: true });
	symlinkSync(file, join(bin, name));
}

/** As root: installs Debian's package, with fresh package lists if the first attempt fails. */
function installed(name, service, path) {
	if (process.getuid?.() !== 0) return false;
	const install = () => apt(['install', '-y', '--no-install-recommends', service.package]);
	if (!install()) {
		apt(['update']);
		install();
	}
	return onPath(name, path());
}

/** As anybody: downloads the package and what it depends on, unpacks them, and puts a launcher into .cache/bin. */
function unpacked(name, service, root) {
	const cache = join(root, '.cache', 'debian');
	const target = join(cache, name);
	const archives = join(cache, 'archives', name);
	mkdirSync(join(cache, 'lists', 'partial'), { recursive: true });
	mkdirSync(archives, { recursive: true });
	mkdirSync(target, { recursive: true });
	const own = ['-o', `Dir::State::Lists=${cache}/lists`, '-o', `Dir::Cache=${cache}`, '-o', 'Debug::NoLocking=1'];
	if (!apt([...own, 'update'])) return false;
	const plan = apt([...own, 'install', '--simulate', '--no-install-recommends', service.package]);
	const wanted = [...(plan?.output ?? '').matchAll(/^Inst (\S+)/gm)].map((match) => match[1]);
	if (wanted.length === 0 || !apt([...own, 'download', ...wanted], archives)) return false;
	for (const archive of readdirSync(archives)) {
		if (archive.endsWith('.deb')) spawnSync('dpkg', ['-x', join(archives, archive), target]);
	}
	const folders = ['usr/bin', 'usr/sbin', 'bin', 'sbin'].map((folder) => join(target, folder));
	const home = [...folders, ...postgresFolders(target)].find((folder) => existsSync(join(folder, name)));
	if (!home) return false;
	const libraries = ['usr/lib', 'lib']
		.flatMap((folder) => [folder, ...children(join(target, folder)).map((child) => `${folder}/${child}`)])
		.map((folder) => join(target, folder));
	mkdirSync(join(root, '.cache', 'bin'), { recursive: true });
	for (const each of [name, ...(service.beside ?? [])]) {
		writeFileSync(
			join(root, '.cache', 'bin', each),
			`#!/bin/sh\nLD_LIBRARY_PATH='${libraries.join(':')}' exec '${join(home, each)}' "$@"\n`,
			{ mode: 0o755 },
		);
	}
	return true;
}

/** Where Debian has the programs of PostgreSQL: a folder for each version, the newest first. */
function postgresFolders(root) {
	const home = join(root, 'usr', 'lib', 'postgresql');
	return children(home)
		.sort((a, b) => Number(b) - Number(a))
		.map((version) => join(home, version, 'bin'));
}

function children(folder) {
	return existsSync(folder) ? readdirSync(folder) : [];
}

/** What apt-get printed, or `undefined` if it is missing or failed. */
function apt(args, cwd) {
	// Only the program is wanted: the service that a package would start is held back, by what invoke-rc.d and systemctl
	// heed.
	const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1', SYSTEMD_OFFLINE: '1' };
	const result = spawnSync('apt-get', args, { cwd, env, encoding: 'utf8' });
	return result.status === 0 ? { output: result.stdout } : undefined;
}
