// What the suites are run against: one everything-server, or three behind nginx that share a store.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NodeProcess, startNginx, startPostgres, startRedis } from '@holdfast/local-cluster';

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const nginxConfig = fileURLToPath(new URL('../../../examples/two-nodes-redis/nginx.conf', import.meta.url));

/** Runs `use` with the port of an everything-server that has the flags `flags`. Answers what was wrong with its end. */
export async function withOneNode(flags, use) {
	const node = await start(flags);
	try {
		await use(node.port);
	} finally {
		await node.stop();
	}
	return problemsOf(node, flags);
}

/**
 * Runs `use` with the port of an nginx that sends requests in turn to three everything-servers with the flags `flags`.
 */
export const withThreeNodes = (flags, use) => withThreeNodesOn(startRedis, flags, use);

/** The same, on a PostgreSQL. */
export const withPostgres = (flags, use) => withThreeNodesOn(startPostgres, flags, use);

/** The same, on one file of SQLite. */
export const withSqlite = (flags, use) => withThreeNodesOn(startFile, flags, use);

async function startFile() {
	const folder = await mkdtemp(join(tmpdir(), 'one-file-'));
	return { url: join(folder, 'sessions.db'), close: () => rm(folder, { recursive: true }) };
}

async function withThreeNodesOn(startStore, flags, use) {
	const store = await startStore();
	const nodes = await Promise.all([1, 2, 3].map(() => start([...flags, '--store', store.url])));
	const ports = nodes.map(({ port }) => port);
	await Promise.all(ports.map(isReady));
	const nginx = await startNginx(nginxConfig, ports);
	try {
		await use(nginx.port);
	} finally {
		await nginx.close();
		await Promise.all(nodes.map((node) => node.stop()));
		await store.close();
	}
	return (await Promise.all(nodes.map((node) => problemsOf(node, flags)))).flat();
}

/** Resolves once a node reaches its store, which the first one may have to prepare. */
async function isReady(port) {
	while ((await fetch(`http://127.0.0.1:${port}/readyz`)).status !== 200) {
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

function start(flags) {
	return NodeProcess.start(program, (port) => ({ args: ['--port', String(port), ...flags] }));
}

async function problemsOf(node, flags) {
	const { code, output } = await node.ended;
	return code === 0 ? [] : [`everything-server ${flags.join(' ')}: ended with code ${code} on SIGTERM\n${output}`];
}
