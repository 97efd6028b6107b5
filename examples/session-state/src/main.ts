// Starts one node with sessions in memory, then Redis and two nodes, and fails unless the five patterns work on both.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { NodeProcess, startRedis } from '@holdfast/local-cluster';
import { AlternatingClient } from './alternating-client.js';

const alone = await startNode('');
await holdsOn([alone]);
await alone.stop();

const redis = await startRedis();
const nodes = await Promise.all([startNode(redis.url), startNode(redis.url)]);
await holdsOn(nodes);
await formOutlives(nodes[0], nodes);
await formOutlives(nodes[1], nodes);
await Promise.all(nodes.map((node) => node.stop()));
await redis.close();
console.log('session-state: five patterns, on one node in memory and on two with Redis, through the death of each');

function startNode(redisUrl: string): Promise<NodeProcess> {
	const program = fileURLToPath(new URL('server.js', import.meta.url));
	return NodeProcess.start(program, (port) => ({ env: { PORT: `${port}`, REDIS_URL: redisUrl } }));
}

/** Tries each pattern in one session, then checks that a second session sees none of it. */
async function holdsOn(nodes: readonly NodeProcess[]): Promise<void> {
	const ada = await AlternatingClient.connect(nodes);
	const bob = await AlternatingClient.connect(nodes);

	await counter(ada);
	await cart(ada);
	await form(ada);
	const adas = await cache(ada, nodes);
	await preferences(ada);

	assert.deepEqual(await bob.call('count'), { count: 1 });
	assert.deepEqual(await bob.call('cart_show'), { items: [] });
	assert.deepEqual(await bob.call('form_fill', { name: 'Bob' }), { draft: { name: 'Bob' }, next: 'email' });
	assert.notDeepEqual(await bob.call('count_primes', { below: 1_000_000 }), adas, 'a session has a cache of its own');
	assert.deepEqual(await bob.call('preferences_show'), { theme: 'system', language: 'en', pageSize: 20 });

	await ada.close();
	assert.deepEqual(await bob.call('count'), { count: 2 }, 'the end of one session is not the end of another');
	await bob.close();
}

async function counter(client: AlternatingClient): Promise<void> {
	const results = await together(200, () => client.call('count'));
	const counts = results.map(({ count }) => Number(count)).sort((a, b) => a - b);
	assert.deepEqual(
		counts,
		[...Array(200).keys()].map((n) => n + 1),
		'every call counts once',
	);
	assert.deepEqual(await client.call('count', { by: -100 }), { count: 100 });
}

async function cart(client: AlternatingClient): Promise<void> {
	const item = (n: number) => ({ name: `book ${n}`, quantity: 2, cents: 100 + n });
	await together(50, (n) => client.call('cart_add', item(n)));

	assert.match(await client.refusal('cart_add', { ...item(50), quantity: 0 }), /quantity/);
	assert.equal(await client.refusal('cart_add', item(50)), 'State key "cart": A cart holds at most 50 items.');

	const checkouts = await Promise.allSettled([client.call('cart_checkout'), client.call('cart_checkout')]);
	const orders = checkouts.flatMap((checkout) => (checkout.status === 'fulfilled' ? [checkout.value] : []));
	const [order] = orders;
	assert.ok(order && orders.length === 1, 'a cart is ordered once');
	const names = (order['ordered'] as { name: string }[]).map(({ name }) => name);
	assert.deepEqual(new Set(names), new Set([...Array(50).keys()].map((n) => `book ${n}`)), 'no item is lost');
	assert.equal(order['cents'], 12_450);
	assert.deepEqual(await client.call('cart_show'), { items: [] });
}

async function form(client: AlternatingClient): Promise<void> {
	const name = 'Ada';
	const email = 'ada@example.com';
	const age = 36;
	assert.deepEqual(await client.call('form_fill', { name }), { draft: { name }, next: 'email' });
	assert.match(await client.refusal('form_fill', { email: 'nobody' }), /email/);
	assert.equal(await client.refusal('form_submit'), 'The form still lacks: email.');
	assert.deepEqual(await client.call('form_fill', { email }), { draft: { name, email }, next: 'age' });
	assert.deepEqual(await client.call('form_fill', { age }), { draft: { name, email, age } });
	assert.deepEqual(await client.call('form_submit'), { sent: { name, email, age } });
	assert.equal(await client.refusal('form_submit'), 'The form still lacks: name.');
}

/** Returns the cached result for a million. */
async function cache(client: AlternatingClient, nodes: readonly NodeProcess[]): Promise<Record<string, unknown>> {
	const computed = await client.call('count_primes', { below: 1_000_000 });
	assert.equal(computed['primes'], 78_498);
	for (const _node of nodes) {
		assert.deepEqual(await client.call('count_primes', { below: 1_000_000 }), computed, 'it is computed once');
	}
	const others = await Promise.all(nodes.map((_node, n) => client.call('count_primes', { below: 1_000 + n })));
	const computedBy = new Set(others.map((other) => other['computedBy']));
	assert.deepEqual(computedBy, new Set(nodes.map(({ pid }) => pid)), 'the calls of a session go to every node');
	return computed;
}

async function preferences(client: AlternatingClient): Promise<void> {
	assert.deepEqual(await client.call('preferences_show'), { theme: 'system', language: 'en', pageSize: 20 });
	await Promise.all([
		client.call('preferences_set', { theme: 'dark' }),
		client.call('preferences_set', { language: 'cy' }),
	]);
	assert.match(await client.refusal('preferences_set', { theme: 'loud' }), /theme/);
	assert.deepEqual(await client.call('preferences_show'), { theme: 'dark', language: 'cy', pageSize: 20 });
}

/** Kills `node` while a form is being filled in, finishes it on the other node, and submits it once both run again. */
async function formOutlives(node: NodeProcess, nodes: readonly NodeProcess[]): Promise<void> {
	const client = await AlternatingClient.connect(nodes);
	await client.call('form_fill', { name: 'Grace' });
	await client.call('form_fill', { email: 'grace@example.com' });
	await node.kill();
	const draft = { name: 'Grace', email: 'grace@example.com', age: 85 };
	assert.deepEqual(await client.call('form_fill', { age: 85 }), { draft });
	await node.restart();
	await client.call('count');
	assert.deepEqual(await client.call('form_submit'), { sent: draft });
	await client.close();
}

/** Makes `calls` concurrent calls. */
function together<T>(calls: number, call: (n: number) => Promise<T>): Promise<T[]> {
	return Promise.all([...Array(calls).keys()].map(call));
}
