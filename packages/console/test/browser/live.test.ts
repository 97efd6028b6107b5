import { fileURLToPath } from 'node:url';
import { NodeProcess, type Redis, startRedis } from '@holdfast/local-cluster';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { until } from '../../../../test/support/until.ts';
import { shortHash } from '../../src/data/short-hash.ts';
import { recordOf, startConsole } from '../support/console-rig.ts';
import { expectNoViolation, useBrowser, watch } from './support/browser.ts';

const open = useBrowser();
const program = fileURLToPath(new URL('../../../../apps/everything-server/dist/main.js', import.meta.url));
let redis: Redis;

beforeAll(async () => {
	redis = await startRedis();
	return () => redis.close();
});

test('a node that is killed is shown as gone while one looks, and the page is not loaded again', async () => {
	const start = (...flags: string[]) =>
		NodeProcess.start(program, (port) => ({ args: ['--port', String(port), '--store', redis.url, ...flags] }));
	const [watched, victim] = [await start('--console', '0'), await start()];
	onTestFinished(async () => {
		await Promise.all([watched.kill(), victim.kill()]);
	});
	for (const { port } of [watched, victim])
		await expect
			.poll(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status, { timeout: 60_000 })
			.toBe(200);
	const address = await until('the console says where it is', () => /http:\S+token=\S+/.exec(watched.output)?.[0]);
	const context = await open();
	onTestFinished(() => context.close());
	const page = await context.newPage();
	const wrong = watch(page);
	await page.goto(address);
	expect(page.url()).not.toContain('token');
	await page.getByText('Live', { exact: true }).waitFor();
	const nodes = page.locator('#nodes tbody tr');
	// Each server has a node for either transport.
	await expect.poll(() => nodes.filter({ hasText: 'ready' }).count(), { timeout: 60_000 }).toBe(4);
	await page.evaluate(() => Object.assign(globalThis, { isSame: true }));
	await victim.kill();
	await expect.poll(() => nodes.filter({ hasText: 'gone' }).count(), { timeout: 60_000 }).toBe(2);
	await expect.poll(() => nodes.filter({ hasText: 'ready' }).count()).toBe(2);
	await page.getByText('gone without a word').first().waitFor();
	expect(await page.evaluate(() => 'isSame' in globalThis)).toBe(true);
	await expectNoViolation(page);
	expect(wrong).toEqual([]);
}, 180_000);

test('what happens is seen at once; focus and selection stay', async () => {
	const rig = await startConsole();
	onTestFinished(() => rig.close());
	rig.info.create(recordOf('first'));
	const context = await open();
	onTestFinished(() => context.close());
	const page = await context.newPage();
	await page.goto(`${rig.url}sessions`);
	await page.getByText('Live', { exact: true }).waitFor();
	await page.locator('#sessions a.id').focus();
	const href = await page.locator(':focus').getAttribute('href');
	rig.info.create(recordOf('second'));
	rig.activity.event({ type: 'session-restored', sessionId: 'second' }, 'node');
	await expect.poll(() => page.locator('#sessions tbody tr').count(), { timeout: 60_000 }).toBe(2);
	expect(await page.locator(':focus').getAttribute('href')).toBe(href);
	await page.locator('#sessions bdi').first().selectText();
	const selected = await page.evaluate(() => String(getSelection()));
	rig.info.create(recordOf('third'));
	rig.activity.event({ type: 'session-restored', sessionId: 'third' }, 'node');
	await page.waitForResponse(/\/sessions$/);
	expect(await page.evaluate(() => String(getSelection()))).toBe(selected);
	await page.evaluate(() => getSelection()?.removeAllRanges());
	rig.activity.event({ type: 'session-restored', sessionId: 'third' }, 'node');
	await expect.poll(() => page.locator('#sessions tbody tr').count(), { timeout: 60_000 }).toBe(3);
	await expectNoViolation(page);
}, 180_000);

test('when the console goes away the page says so, and when it is back it goes on', async () => {
	const rig = await startConsole();
	onTestFinished(() => rig.close());
	const context = await open();
	onTestFinished(() => context.close());
	const page = await context.newPage();
	await page.goto(rig.url);
	await page.getByText('Live', { exact: true }).waitFor();
	await context.route('**/events', (route) => route.abort());
	rig.cut();
	await page.getByText('Reconnecting', { exact: true }).waitFor({ timeout: 60_000 });
	await context.unroute('**/events');
	await page.getByText('Live', { exact: true }).waitFor({ timeout: 60_000 });
}, 180_000);

test('a page about what is gone says so, and asks no more', async () => {
	const rig = await startConsole();
	onTestFinished(() => rig.close());
	rig.info.create(recordOf('one'));
	const context = await open();
	onTestFinished(() => context.close());
	const page = await context.newPage();
	await page.goto(`${rig.url}sessions/${shortHash('one')}`);
	await page.getByText('Live', { exact: true }).waitFor({ timeout: 60_000 });
	rig.info.delete('one');
	rig.activity.event({ type: 'session-ended', sessionId: 'one', reason: 'erased' }, 'node');
	await page.getByText('No longer there', { exact: true }).waitFor({ timeout: 60_000 });
	await page.goto(`${rig.url}sessions/${'0'.repeat(12)}`);
	expect(await page.locator('body').getAttribute('data-events')).toBeNull();
}, 180_000);

test('10,000 sessions are a few small pages to a browser', async () => {
	const rig = await startConsole();
	onTestFinished(() => rig.close());
	for (let n = 0; n < 10_000; n++)
		rig.info.create(recordOf(`session-${n}`, { principal: `https://id.example person-${n % 500}` }));
	const context = await open({ viewport: { width: 360, height: 900 } });
	onTestFinished(() => context.close());
	const page = await context.newPage();
	const sizes: number[] = [];
	page.on('response', async (response) => {
		if (response.headers()['content-type']?.startsWith('text/html'))
			sizes.push(Number(response.headers()['content-length']));
	});
	await page.goto(`${rig.url}sessions`);
	for (let turned = 0; turned < 5; turned++) {
		expect(await page.locator('#sessions tbody tr').count()).toBe(50);
		const next = page.getByRole('link', { name: 'Next page' });
		const address = await next.getAttribute('href');
		await next.click();
		await page.waitForURL((url) => url.href.endsWith((address ?? '').slice(1)));
	}
	await page.getByRole('link', { name: 'Overview' }).click();
	await page.getByText('10,000').first().waitFor();
	expect(sizes.length).toBeGreaterThanOrEqual(7);
	expect(Math.max(...sizes)).toBeLessThan(200_000);
}, 180_000);
