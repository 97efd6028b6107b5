import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const packages = await publicPackages();
/** The tarball of each package, by name. */
const tarballs: Record<string, string> = {};
let home: string;

/** What a tarball may hold. */
const packable = /^(dist\/.+\.(js|d\.ts)(\.map)?|src\/.+\.ts|README\.md|LICENSE|package\.json)$/;

beforeAll(async () => {
	home = await mkdtemp(join(tmpdir(), 'holdfast-packaging-'));
	for (const { name, folder } of packages) {
		const { stdout } = await run('pnpm', ['pack', '--json', '--pack-destination', home], { cwd: folder });
		tarballs[name] = join(home, JSON.parse(stdout).filename.split('/').at(-1));
	}
});

afterAll(() => rm(home, { recursive: true, force: true }));

describe.each(packages)('$name', ({ name, folder }) => {
	test('packs what runs, its sources, and nothing else', async () => {
		const files = await filesIn(tarball(name));
		expect(files).toEqual(
			expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'src/index.ts', 'README.md', 'LICENSE']),
		);
		expect(files.filter((file) => !packable.test(file) || /\.(test|tsbuildinfo)\b/.test(file))).toEqual([]);
	});

	test('has a manifest that is ready to publish', async () => {
		const text = await textOf(tarball(name), 'package.json');
		expect(text).not.toMatch(/"(workspace|catalog):/);
		const directory = relative(root, folder);
		expect(JSON.parse(text)).toMatchObject({
			license: 'MIT',
			type: 'module',
			sideEffects: false,
			engines: { node: (await json(join(root, 'package.json'))).engines.node },
			keywords: expect.arrayContaining(['mcp', 'model-context-protocol']),
			homepage: `https://github.com/holdfast-mcp/holdfast/tree/main/${directory}#readme`,
			bugs: { url: 'https://github.com/holdfast-mcp/holdfast/issues' },
			repository: { type: 'git', url: 'git+https://github.com/holdfast-mcp/holdfast.git', directory },
			publishConfig: { access: 'public', provenance: true },
		});
		const { scripts } = await json(join(folder, 'package.json'));
		expect(scripts.prepack).toBe('node ../../scripts/require-pnpm.mjs');
	});

	test('has maps from its code and its types to sources that it packs', async () => {
		const files = new Set(await filesIn(tarball(name)));
		const built = [...files].filter((file) => /^dist\/.+\.(js|d\.ts)$/.test(file));
		expect(built.filter((file) => !files.has(`${file}.map`))).toEqual([]);
		const unpacked = await mkdtemp(join(home, 'unpacked-'));
		await run('tar', ['-xzf', tarball(name), '-C', unpacked]);
		for (const file of built) {
			expect(await readFile(join(unpacked, 'package', file), 'utf8')).toMatch(
				new RegExp(`^//# sourceMappingURL=${basename(file)}\\.map$`, 'm'),
			);
			const { sourceRoot = '', sources } = await json(join(unpacked, 'package', `${file}.map`));
			expect(sources).toHaveLength(1);
			expect(files).toContain(join(dirname(file), sourceRoot, sources[0]));
		}
	});

	test('installs alone, loads, and has complete types, with no MCP SDK beside it', { timeout: 120_000 }, async () => {
		const project = await install({ [name]: tarball(name) });
		const entries = await entriesOf(folder);
		const imports = entries.map((entry, n) => `import * as entry${n} from '${join(name, entry)}';\n`).join('');
		const counts = entries.map((_entry, n) => `Object.keys(entry${n}).length`).join(', ');
		await writeFile(join(project, 'main.ts'), `${imports}console.log(JSON.stringify([${counts}]));\n`);
		const { stdout } = await compileAndRun(project, { skipLibCheck: false });
		expect(JSON.parse(stdout)).toEqual(entries.map(() => expect.toSatisfy((count: number) => count > 0)));
		expect(await readdir(join(project, 'node_modules'))).not.toContain('@modelcontextprotocol');
	});
});

test.each(['pack', 'publish'])('npm %s fails and says to use pnpm', async (command) => {
	const cwd = join(root, 'packages/session-manager');
	const env = { ...process.env, npm_config_user_agent: undefined };
	await expect(run('npm', [command, '--dry-run'], { cwd, env })).rejects.toThrow(
		/^Use pnpm to pack or publish this package: .+\.$/m,
	);
});

test('a program with managers of its own compiles and runs on the tarballs', {
	timeout: 120_000,
	concurrent: true,
}, async () => {
	const project = await install({
		...tarballs,
		'@modelcontextprotocol/sdk': await installedVersion('@modelcontextprotocol/sdk'),
	});
	await cp(join(root, 'test/consumer'), project, { recursive: true });
	const { stdout } = await compileAndRun(project, { skipLibCheck: true });
	expect(stdout).toMatch(/^session \S+ was told\n\d+ promises are kept\n$/);
});

test('the README of the test kit works in an empty folder', { timeout: 120_000 }, async () => {
	const project = await install(
		Object.fromEntries(
			['session-manager', 'session-manager-test-kit'].map((name) => [
				`@holdfast/${name}`,
				tarball(`@holdfast/${name}`),
			]),
		),
	);
	const readme = await readFile(join(root, 'packages/session-manager-test-kit/README.md'), 'utf8');
	const files = [...readme.matchAll(/```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)```/g)];
	expect(files.map(([, name]) => name)).toEqual(['minimal-stream-session-manager.ts', 'main.ts']);
	for (const [, name = '', text = ''] of files) await writeFile(join(project, name), text);
	const [, severalNodes = ''] = /```ts\n(const factory: ManagerFactory = [\s\S]*?)```/.exec(readme) ?? [];
	expect(severalNodes).toContain('cutOff');
	await writeFile(join(project, 'several-nodes.ts'), `${whatSeveralNodesNeed}${severalNodes}export { factory };\n`);
	await compileAndRun(project, { skipLibCheck: false });
	const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', 'out/main.js'], { cwd: project });
	expect(stdout).toMatch(/^# fail 0$/m);
	expect(stdout).toMatch(/# Subtest: stream\/takeover-same-peer: /);
	expect(stdout).toMatch(/# Subtest: not declared: history – \d+ cases do not run /);
	for (const block of readme.matchAll(/```text\n([\s\S]*?)```/g)) {
		for (const line of block[1]?.trim().split('\n') ?? [])
			expect(stdout).toContain(line.replace(/^\S+ /, '').replace(/ …$/, ''));
	}
});

/** What the factory for several nodes in the README leaves to its reader: it is only compiled. */
const whatSeveralNodesNeed = `
import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import type { ManagerFactory, PeerLimits } from '@holdfast/session-manager-test-kit';
type Options = PeerLimits & { schema: string };
declare const database: URL;
declare function emptySchema(of: URL): Promise<string>;
declare function proxyTo(target: URL): Promise<{ url: URL; refuse(): void; flow(): void; close(): Promise<void> }>;
declare class MyStreamSessionManager extends InMemoryStreamSessionManager { constructor(url: URL, options: Options); }
declare class MyInfoSessionManager extends InMemoryInfoSessionManager { constructor(url: URL, options: Options); }
`;

async function publicPackages(): Promise<{ name: string; folder: string }[]> {
	const folders = (await readdir(join(root, 'packages'))).map((folder) => join(root, 'packages', folder));
	const manifests = await Promise.all(
		folders.map(async (folder) => ({ folder, ...(await json(join(folder, 'package.json'))) })),
	);
	return manifests.filter((manifest) => manifest.private !== true);
}

async function json(file: string) {
	return JSON.parse(await readFile(file, 'utf8'));
}

function tarball(name: string): string {
	const file = tarballs[name];
	if (!file) throw new Error(`${name} was not packed`);
	return file;
}

/** The files of a tarball, as paths inside of the package. */
async function filesIn(file: string): Promise<string[]> {
	const { stdout } = await run('tar', ['-tzf', file]);
	return stdout
		.trim()
		.split('\n')
		.map((path) => path.replace(/^package\//, ''));
}

async function textOf(file: string, path: string): Promise<string> {
	return (await run('tar', ['-xzOf', file, `package/${path}`])).stdout;
}

/** The entry points that load without the optional peer they are for: `vitest` runs nowhere but in vitest. */
async function entriesOf(folder: string): Promise<string[]> {
	const { exports } = await json(join(folder, 'package.json'));
	return Object.keys(exports).filter((entry) => entry !== './package.json' && entry !== './vitest');
}

/** A new project outside of the workspace; a package's workspace dependencies come from their tarballs too. */
async function install(dependencies: Record<string, string>): Promise<string> {
	const project = await mkdtemp(join(home, 'project-'));
	const others = Object.entries(tarballs).filter(([name]) => !(name in dependencies));
	const manifest = {
		private: true,
		type: 'module',
		dependencies,
		devDependencies: {
			'@types/node': await installedVersion('@types/node'),
			typescript: await installedVersion('typescript'),
		},
		overrides: Object.fromEntries(others),
	};
	await writeFile(join(project, 'package.json'), JSON.stringify(manifest));
	await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: project });
	return project;
}

/** Compiles the project as a strict user would, and runs its main program. */
async function compileAndRun(
	project: string,
	{ skipLibCheck }: { skipLibCheck: boolean },
): Promise<{ stdout: string }> {
	const compilerOptions = {
		target: 'es2023',
		module: 'nodenext',
		strict: true,
		types: ['node'],
		skipLibCheck,
		outDir: 'out',
	};
	await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
	await run(join(project, 'node_modules/.bin/tsc'), ['-p', '.'], { cwd: project }).catch((error) => {
		throw new Error(error.stdout || error.message);
	});
	return run(process.execPath, ['out/main.js'], { cwd: project });
}

/** The version that this workspace uses. */
async function installedVersion(name: string): Promise<string> {
	return (await json(join(root, 'node_modules', name, 'package.json'))).version;
}
