// What the suites are run against: one everything-server, or three behind nginx that share a Redis.
import { fileURLToPath } from 'node:url';
import { NodeProcess, startNginx, startRedis } from '@holdfast/local-cluster';

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
export async function withThreeNodes(flags, use) {
	const redis = await startRedis();
	const nodes = await Promise.all([1, 2, 3].map(() => start([...flags, '--store', redis.url])));
	const ports = nodes.map(({ port }) => port);
	const nginx = await startNginx(nginxConfig, ports);
	try {
		await use(nginx.port);
	} finally {
		await nginx.close();
		await Promise.all(nodes.map((node) => node.stop()));
		await redis.close();
	}
	return (await Promise.all(nodes.map((node) => problemsOf(node, flags)))).flat();
}

function start(flags) {
	return NodeProcess.start(program, (port) => ({ args: ['--port', String(port), ...flags] }));
}

async function problemsOf(node, flags) {
	const { code, output } = await node.ended;
	return code === 0 ? [] : [`everything-server ${flags.join(' ')}: ended with code ${code} on SIGTERM\n${output}`];
}
