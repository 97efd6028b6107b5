// Three everything-servers that share a Redis, behind nginx with the configuration that is shipped for users.
import { fileURLToPath } from 'node:url';
// By its file: this folder is a workspace of its own.
import { NodeProcess, startNginx, startRedis } from '../local-cluster/dist/index.js';

const program = fileURLToPath(new URL('../../apps/everything-server/dist/main.js', import.meta.url));
const nginxConfig = fileURLToPath(new URL('../../examples/two-nodes-redis/nginx.conf', import.meta.url));
const READY_DEADLINE_MS = 60_000;

export async function startCluster(flags) {
	const redis = await startRedis();
	const start = () =>
		NodeProcess.start(program, (port) => ({ args: ['--port', String(port), '--store', redis.url, ...flags] }));
	const nodes = [await start(), await start(), await start()];
	const nginx = await startNginx(
		nginxConfig,
		nodes.map(({ port }) => port),
		(text) => text.replace('proxy_pass http://holdfast;', '$& add_header X-Node $upstream_addr always;'),
	);
	const serves = async (node) => (await nodeOf(`http://127.0.0.1:${nginx.port}/mcp`)) === `127.0.0.1:${node.port}`;
	return {
		nodes,
		/** Where clients of a transport connect. */
		url: (transport) => `http://127.0.0.1:${nginx.port}/${transport === 'sse' ? 'sse' : 'mcp'}`,
		/** Resolves when a node that was started says that it can serve, and the balancer no longer passes over it. */
		async ready(node) {
			const end = performance.now() + READY_DEADLINE_MS;
			while (!(await isReady(node)) || !(await serves(node))) {
				if (performance.now() > end) throw new Error(`A node is not ready: ${node.output}`);
				await new Promise((resolve) => setTimeout(resolve, 50));
			}
		},
		/** The last that the balancer and the nodes wrote. */
		get output() {
			return [nginx, ...nodes].map(({ output }) => output).join('\n');
		},
		async close() {
			await nginx.close();
			await Promise.all(nodes.map((node) => node.kill()));
			await redis.close();
		},
	};
}

async function isReady(node) {
	const response = await fetch(new URL('/readyz', node.url));
	await response.body?.cancel();
	return response.ok;
}

/** The address of the node to which the balancer gives a request. */
async function nodeOf(url) {
	const response = await fetch(url);
	await response.body?.cancel();
	return response.headers.get('x-node');
}
