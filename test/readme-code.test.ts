import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const packages = readdirSync(`${root}packages`);
const readmes = ['README.md', ...packages.map((name) => `packages/${name}/README.md`)].filter((path) =>
	existsSync(root + path),
);

/** What examples take for granted: the names that the text around them speaks of, and the reader's own code. */
const given = `
import type { McpServer as Server } from '@modelcontextprotocol/server';

declare global {
	// What earlier examples, or the text, import.
	const createServer: typeof import('node:http').createServer;
	const HttpTransport: typeof import('@holdfast/transport-http').HttpTransport;
	const SseTransport: typeof import('@holdfast/transport-sse').SseTransport;
	const shutdown: typeof import('@holdfast/transport-http').shutdown;
	const holdfastEventBus: typeof import('@holdfast/transport-http').holdfastEventBus;
	const redisSessionManager: typeof import('@holdfast/session-manager-redis').redisSessionManager;
	const postgresSessionManager: typeof import('@holdfast/session-manager-postgres').postgresSessionManager;
	const sqliteSessionManager: typeof import('@holdfast/session-manager-sqlite').sqliteSessionManager;
	const RedisStreamSessionManager: typeof import('@holdfast/session-manager-redis').RedisStreamSessionManager;
	const McpServer: typeof import('@modelcontextprotocol/server').McpServer;
	const createMcpHandler: typeof import('@modelcontextprotocol/server').createMcpHandler;
	const inputRequired: typeof import('@modelcontextprotocol/server').inputRequired;
	const z: typeof import('zod');
	const Redis: typeof import('ioredis').Redis;
	const Cluster: typeof import('ioredis').Cluster;
	const Database: typeof import('@photostructure/sqlite').DatabaseSync;
	type ManagerFactory = import('@holdfast/session-manager-test-kit').ManagerFactory;

	// What they make.
	const transport: import('@holdfast/transport-http').HttpTransport;
	const sessionManager: import('@holdfast/session-manager-redis').RedisSessionManager;
	const streams: import('@holdfast/session-manager').StreamSessionManager;
	const conversations: import('@holdfast/conversations').Conversations;
	const store: import('@holdfast/conversations/custom').ConversationStore;
	const activity: import('@holdfast/console').Activity;
	const metrics: import('@holdfast/telemetry/prometheus').PrometheusMetrics;
	const server: Server;

	// What the reader has.
	const makeServer: () => Server;
	const auditLog: { info(event: object): void };
	const buildMcpServer: (of?: unknown) => Server;
	const info: { name: string; version: string };
	const logger: { info(line: object): void };
	const currentKey: Uint8Array;
	const previousKey: Uint8Array;
	const inputSchema: import('zod').ZodObject<{ month: import('zod').ZodNumber }>;
	const requestedSchema: { type: 'object'; properties: { year: { type: 'number' } } };
	const writeReport: (args: { month: number }, answer: unknown, signal: AbortSignal) => Promise<string>;
	const userOf: (token: string) => Promise<{ id: string; client: string } | undefined>;
	const database: string;
	const emptySchema: (database: string) => Promise<string>;
	const proxyTo: (url: string) => Promise<{ url: string; refuse(): void; flow(): void; close(): Promise<void> }>;
	const MyStreamSessionManager: new (url: string, options: object)
		=> import('@holdfast/session-manager').StreamSessionManager;
	const MyInfoSessionManager: new (url: string, options: object)
		=> import('@holdfast/session-manager').InfoSessionManager;
}
`;

/** A block of code in a README, which begins at `line`. */
interface Block {
	readonly path: string;
	readonly line: number;
	readonly code: string;
}

async function blocksOf(path: string): Promise<Block[]> {
	const text = await readFile(root + path, 'utf8');
	return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(({ index, 1: code = '' }) => ({
		path,
		line: text.slice(0, index).split('\n').length,
		code,
	}));
}

/** Where a block is compiled: in a folder for its README, under the name that its first line gives it. */
function fileOf({ path, line, code }: Block): string {
	const [, name = `line-${line}.ts`] = /^\/\/ ([\w-]+\.ts)\n/.exec(code) ?? [];
	return join(path.replaceAll('/', '.'), name);
}

test('the code in the READMEs compiles, as it is, under strict', async () => {
	const blocks = (await Promise.all(readmes.map(blocksOf))).flat();
	expect(blocks.length).toBeGreaterThan(30);
	const folder = await mkdtemp(`${root}node_modules/.readme-code-`);
	try {
		for (const block of blocks) {
			const file = join(folder, fileOf(block));
			await mkdir(join(file, '..'), { recursive: true });
			// What the compiler says then names the line of the README. Each block is a module of its own.
			await writeFile(file, `${'\n'.repeat(block.line)}${block.code}export {};\n`);
		}
		await writeFile(join(folder, 'given.ts'), given);
		const paths = packages.flatMap((name) => [
			[`@holdfast/${name}`, [`${root}packages/${name}/src/index.ts`]],
			[`@holdfast/${name}/*`, [`${root}packages/${name}/src/*.ts`]],
		]);
		const config = {
			extends: `${root}tsconfig.base.json`,
			compilerOptions: { composite: false, noEmit: true, paths: Object.fromEntries(paths) },
			files: ['given.ts', ...new Set(blocks.map(fileOf))],
		};
		await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
		await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
		const said = await compile(folder);
		expect(said).toEqual([]);
	} finally {
		await rm(folder, { recursive: true });
	}
});

/** Returns what the compiler has to say of the project in `folder`. */
async function compile(folder: string): Promise<string[]> {
	const tsc = join(root, 'node_modules/typescript/bin/tsc');
	try {
		await promisify(execFile)(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { cwd: folder });
		return [];
	} catch (error) {
		const { stdout } = error as { stdout?: string };
		return stdout === undefined || stdout === '' ? [String(error)] : stdout.trim().split('\n');
	}
}
