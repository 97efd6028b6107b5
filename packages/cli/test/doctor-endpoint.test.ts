import { fileURLToPath } from 'node:url';
import { startNginx } from '@holdfast/local-cluster';
import { redisSessionManager } from '@holdfast/session-manager-redis';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';
import { type DiagnoseOptions, diagnose } from '../src/doctor/diagnose.ts';
import type { Finding, Settings } from '../src/index.ts';
import { type Node, startNode } from './support/node.ts';
import { tamperingProxy } from './support/tampering-proxy.ts';

/** The configuration that is shipped for users. */
const nginxConfig = fileURLToPath(new URL('../../../examples/two-nodes-redis/nginx.conf', import.meta.url));

let redis: RedisServer;

beforeAll(async () => {
	redis = await RedisServer.create();
	return () => redis.dispose();
});

/** Two nodes that share a Redis. */
async function twoNodes(options: Parameters<typeof startNode>[0] = {}): Promise<Node[]> {
	return Promise.all(
		[1, 2].map(async () => {
			const sessionManager = redisSessionManager(redis.url);
			onTestFinished(() => sessionManager.close());
			return startNode({ sessionManager, ...options });
		}),
	);
}

/** The endpoint of the nodes through the shipped nginx, as `edit` changes it. */
async function balanced(nodes: readonly Node[], edit?: (text: string) => string): Promise<string> {
	const nginx = await startNginx(
		nginxConfig,
		nodes.map(({ port }) => port),
		edit,
	);
	onTestFinished(() => nginx.close());
	return nginx.url;
}

/** Changes a line of the configuration, which must be there. */
function line(from: string, to: string): (text: string) => string {
	return (text) => {
		expect(text).toContain(from);
		return text.replace(from, to);
	};
}

/** Looks at a stream, but not for long. */
const short = { watchMs: 100, firstByteMs: 5_000, silentMs: 60_000 };
/** Long enough to see several keep-alives. */
const long = { ...short, watchMs: 1_000, silentMs: 1_000 };

async function findingsAt(
	url: string,
	settings: Settings = {},
	options: DiagnoseOptions = {},
): Promise<readonly Finding[]> {
	return (await diagnose({ url, ...settings }, { ...short, ...options })).findings;
}

function found(code: string, what: RegExp, repair: RegExp) {
	return { code, what: expect.stringMatching(what), repair: expect.stringMatching(repair) };
}

test('nothing is found at a healthy endpoint of two nodes, and no session is left', async () => {
	const nodes = await twoNodes();
	const { findings, unreachable } = await diagnose({ url: await balanced(nodes), store: redis.url }, long);
	expect({ findings, unreachable }).toEqual({ findings: [], unreachable: false });
	expect(nodes.map(({ transport }) => transport.stats().sessions)).toEqual([0, 0]);
});

test('a proxy that buffers streams is found', async () => {
	// As nginx is where nobody configures it: HTTP/1.0 to the nodes, whose streams have no chunks to pass on then.
	const plain = line('proxy_http_version 1.1;', 'proxy_http_version 1.0;');
	const buffering = line('proxy_buffering off;', 'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;');
	const url = await balanced(await twoNodes(), (text) => plain(buffering(text)));
	expect(await findingsAt(url, {}, { firstByteMs: 500 })).toEqual([
		found('stream-buffered', /buffers it/, /proxy_buffering off/),
	]);
});

test('a proxy that compresses streams is found', async () => {
	const gzip = 'gzip on; gzip_proxied any; gzip_min_length 0; gzip_types text/event-stream;';
	const url = await balanced(await twoNodes(), line('gzip off;', gzip));
	expect(await findingsAt(url)).toContainEqual(found('stream-compressed', /gzip/, /gzip off/));
});

test('a keep-alive that comes too late for the proxy is found', async () => {
	const nodes = await twoNodes({ keepAliveMs: 15_000 });
	const url = await balanced(nodes, line('proxy_read_timeout 75s;', 'proxy_read_timeout 2s;'));
	expect(await findingsAt(url, {}, { watchMs: 10_000 })).toEqual([
		found('stream-idle-cut', /cut after \d\.\d s without an event/, /keepAliveMs to less than/),
	]);
});

test('nodes that write no keep-alive are found', async () => {
	const [node] = await twoNodes({ keepAliveMs: 0 });
	expect(await findingsAt(node?.url ?? '', {}, { watchMs: 300, silentMs: 300 })).toEqual([
		found('stream-silent', /carries nothing/, /keepAliveMs/),
	]);
});

test('a proxy that cuts streams though they are alive is found', async () => {
	const [node] = await twoNodes();
	const port = await tamperingProxy(node?.port ?? 0, { cutMs: 700 });
	expect(await findingsAt(`http://127.0.0.1:${port}/mcp`, {}, { watchMs: 5_000 })).toEqual([
		found('stream-cut', /although it carries keep-alives/, /timeout 0s/),
	]);
});

test('nodes that do not share sessions are found', async () => {
	const nodes = await Promise.all([startNode(), startNode()]);
	expect(await findingsAt(await balanced(nodes))).toEqual([
		found('sessions-apart', /do not share sessions/, /same sessionManager/),
	]);
});

test('a balancer that hashes the session id is found where nodes do not share sessions', async () => {
	const [one, other] = await Promise.all([startNode(), startNode()]);
	// An initialize has no id yet, and so goes to another node than what follows.
	const pools = `map $http_mcp_session_id $pool { "" 127.0.0.1:${one.port}; default 127.0.0.1:${other.port}; }\n`;
	const hashed = line('proxy_pass http://holdfast;', 'proxy_pass http://$pool;');
	const url = await balanced([one, other], (text) => pools + hashed(text));
	expect(await findingsAt(url)).toEqual([found('sessions-apart', /do not share sessions/, /no sticky or hash/)]);
});

test('a balancer that keeps clients by a cookie is found', async () => {
	const cookie = 'add_header Set-Cookie "route=$upstream_addr";\n\t\tproxy_cache off;';
	const url = await balanced(await twoNodes(), line('proxy_cache off;', cookie));
	expect(await findingsAt(url)).toEqual([found('sticky-cookie', /keep no cookies/, /round-robin/)]);
});

test('a foreign Host that is allowed is found', async () => {
	const url = await balanced(await twoNodes(), line('Host $http_host;', 'Host 127.0.0.1;'));
	expect(await findingsAt(url)).toEqual([found('foreign-host', /DNS rebinding/, /allowedHosts/)]);
});

test('a foreign Origin that is allowed is found', async () => {
	const url = await balanced(await twoNodes({ allowedOrigins: 'any' }));
	expect(await findingsAt(url)).toEqual([found('foreign-origin', /any web page/, /allowedOrigins/)]);
});

test('a proxy that replaces the 404 of an unknown session is found', async () => {
	const away = 'location = /away { return 503; }\n\terror_page 404 =503 /away;\n\tlocation ~ ^/(mcp|';
	const intercepted = line('proxy_cache off;', 'proxy_cache off; proxy_intercept_errors on;');
	const url = await balanced(await twoNodes(), (text) => line('location ~ ^/(mcp|', away)(intercepted(text)));
	expect(await findingsAt(url)).toEqual([found('unknown-session', /gets 503, not 404/, /pass through the proxy/)]);
});

test('nodes that use another store than the one that is named are found', async () => {
	const node = await startNode();
	expect(await findingsAt(node.url, { store: redis.url })).toEqual([
		found('other-store', /is not in the store/, /same store, keyPrefix or schema/),
	]);
});

test('an endpoint that wants a token is found, and the token is never shown', async () => {
	const authenticate = () => ({ status: 401 as const, message: 'A token is needed.' });
	const node = await startNode({ authenticate });
	const findings = await findingsAt(node.url, { token: 'a-secret' });
	expect(findings).toEqual([found('endpoint-refuses', /refuses the token \(401\)/, /HOLDFAST_TOKEN/)]);
	expect(JSON.stringify(findings)).not.toContain('a-secret');
});

test('a balancer whose nodes are all away is found', async () => {
	const url = await balanced([{ port: 1 } as Node]);
	expect(await findingsAt(url)).toEqual([found('endpoint-errors', /502/, /a node may be away/)]);
});

test('an endpoint that cannot be reached is found', async () => {
	const { findings, unreachable } = await diagnose({ url: 'http://127.0.0.1:1/mcp' }, short);
	expect(findings).toEqual([found('endpoint-unreachable', /cannot be reached/, /balancer runs/)]);
	expect(unreachable).toBe(true);
});
