import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { shortHash } from '../../src/data/short-hash.ts';
import { recordOf, startConsole } from '../support/console-rig.ts';
import { expectAccessible, expectNoOverflow, expectNoViolation, useBrowser, watch } from './support/browser.ts';
import { type SampleConsole, startSample } from './support/sample-console.ts';

const open = useBrowser();
const docs = fileURLToPath(new URL('../../docs/', import.meta.url));
/** `HOLDFAST_SCREENSHOTS=1` writes the pictures of the README anew. */
const writes = process.env['HOLDFAST_SCREENSHOTS'] === '1';
/** The largest picture, in bytes. */
const MAX_PICTURE = 150_000;

let sample: SampleConsole;

beforeAll(async () => {
	sample = await startSample();
	const page = await (await open()).newPage();
	await page.goto(`${sample.url}doctor`);
	await page.getByRole('button', { name: 'Examine now' }).click();
	await page.goto('about:blank');
	return () => sample.close();
}, 120_000);

function addresses(): Readonly<Record<string, string>> {
	return {
		overview: '',
		sessions: 'sessions',
		filtered: 'sessions?q=nobody',
		session: `sessions/${sample.hash}?state=1`,
		people: 'people',
		person: `person?principal=${encodeURIComponent(sample.principal)}`,
		nodes: 'nodes',
		activity: 'activity',
		doctor: 'doctor',
		'done action': `sessions/${sample.hash}?done=suspended`,
		'not found': 'no-such-page',
		'no session': `sessions/${'0'.repeat(12)}`,
	};
}

async function shoot(page: Page, name: string): Promise<void> {
	const picture = await page.screenshot({ type: 'png' });
	expect(picture.length).toBeLessThan(MAX_PICTURE);
	if (!writes) return;
	mkdirSync(docs, { recursive: true });
	writeFileSync(`${docs}${name}.png`, picture);
}

test('every page is accessible, fits the window, and breaks no policy, in light and dark, narrow and wide', async () => {
	const context = await open();
	onTestFinished(() => context.close());
	const page = await context.newPage();
	const wrong = watch(page);
	for (const [name, address] of Object.entries(addresses())) {
		await page.goto(`${sample.url}${address}`);
		expect(await page.title(), name).toMatch(/^.+ · Holdfast$/);
		for (const summary of await page.locator('summary').all()) await summary.click();
		for (const width of [360, 1_600]) {
			await page.setViewportSize({ width, height: 900 });
			await expectNoOverflow(page);
			for (const colorScheme of ['light', 'dark'] as const) {
				await page.emulateMedia({ colorScheme });
				await expectAccessible(page, `${name}, ${colorScheme}, ${width} pixels`);
			}
		}
	}
	// The browser itself says so of every page that is not there.
	expect(wrong.filter((text) => !/status of 404/.test(text))).toEqual([]);
}, 180_000);

test('the pictures of the README are small', async () => {
	for (const [name, address, colorScheme, width, height] of [
		['overview-light', '', 'light', 1_280, 860],
		['overview-dark', '', 'dark', 1_280, 860],
		['session-light', `sessions/${sample.hash}`, 'light', 1_280, 860],
		['sessions-phone', 'sessions', 'dark', 390, 860],
	] as const) {
		const context = await open({ colorScheme, viewport: { width, height } });
		const page = await context.newPage();
		await page.goto(`${sample.url}${address}`);
		await page.getByText('Live', { exact: true }).waitFor();
		await shoot(page, name);
		await context.close();
	}
}, 180_000);

test('everything can be done with the keyboard, and one sees where one is', async () => {
	const rig = await startConsole();
	onTestFinished(() => rig.close());
	rig.info.create(recordOf('by-keyboard', { keepEndedMs: 60_000 }));
	const context = await open({ viewport: { width: 1_280, height: 900 } });
	onTestFinished(() => context.close());
	const page = await context.newPage();
	await page.goto(rig.url);
	/** Goes on until `name` has the focus; each stop on the way is visible. */
	const tabTo = async (name: string | RegExp) => {
		for (let stops = 0; stops < 60; stops++) {
			await page.keyboard.press('Tab');
			const focused = page.locator(':focus');
			const { outline, width, text } = await focused.evaluate((element) => {
				const style = getComputedStyle(element);
				const { labels } = element as HTMLInputElement;
				const label = [...(labels ?? [])].map(({ textContent }) => textContent).join(' ');
				return {
					outline: style.outlineStyle,
					width: Number.parseFloat(style.outlineWidth),
					text: label || element.textContent,
				};
			});
			expect({ text, isVisible: outline !== 'none' && width >= 2 }).toEqual({ text, isVisible: true });
			if (typeof name === 'string' ? text?.trim() === name : name.test(text ?? '')) return;
		}
		throw new Error(`${name} is not reached with the keyboard.`);
	};
	await tabTo('Skip to content');
	expect((await page.locator(':focus').boundingBox())?.y).toBeGreaterThanOrEqual(0);
	await tabTo('Sessions');
	await page.keyboard.press('Enter');
	await page.waitForURL(/\/sessions$/);
	await tabTo('Client, person or hash');
	await page.keyboard.type('inspector');
	await page.keyboard.press('Enter');
	await page.waitForURL(/q=inspector/);
	await tabTo(shortHash('by-keyboard'));
	await page.keyboard.press('Enter');
	await page.waitForURL(/\/sessions\/[0-9a-f]{12}$/);
	await tabTo('End session');
	await page.keyboard.press('Enter');
	await tabTo('Reason');
	await page.keyboard.type('it is a test');
	await tabTo('End session');
	await page.keyboard.press('Enter');
	await page.getByText('The session was ended on every node.').waitFor();
	expect(rig.audit).toMatchObject([{ action: 'terminate', by: 'ann', reason: 'it is a test', done: true }]);
	await expectNoViolation(page);
}, 180_000);

test('every action works with the mouse, and is audited', async () => {
	const rig = await startConsole({ diagnose: async () => ({ examined: ['here'], findings: [] }) });
	onTestFinished(() => rig.close());
	const principal = 'https://id.example ann';
	rig.info.create(recordOf('one', { principal, keepEndedMs: 60_000 }));
	const context = await open();
	onTestFinished(() => context.close());
	const page = await context.newPage();
	const wrong = watch(page);
	await page.goto(`${rig.url}sessions/${shortHash('one')}`);
	await page.locator('summary', { hasText: 'Suspend' }).click();
	await page.getByRole('button', { name: 'Suspend' }).click();
	await page.getByText('The session was suspended').waitFor();
	await page.getByRole('link', { name: 'Show keys and sizes' }).click();
	await page.getByText('There is no state.').waitFor();
	await page.getByRole('link', { name: 'ann' }).click();
	await page.getByRole('heading', { name: 'ann' }).waitFor();
	await page.locator('summary', { hasText: 'Export' }).click();
	const saving = page.waitForEvent('download');
	await page.getByRole('button', { name: 'Export' }).click();
	expect((await saving).suggestedFilename()).toBe('person.json');
	await page.locator('summary', { hasText: 'Erase' }).click();
	await page.getByLabel('Reason', { exact: true }).last().fill('she asked');
	await page.getByLabel('Type erase to confirm').fill('erase');
	await page.getByRole('button', { name: 'Erase' }).click();
	await page.getByText('were ended and erased, with tasks and handles. Conversations were not').waitFor();
	await page.goto(`${rig.url}doctor`);
	await page.getByRole('button', { name: 'Examine now' }).click();
	await page.getByText('Nothing is wrong.').waitFor();
	expect(rig.audit.map(({ action, by, done }) => ({ action, by, done }))).toEqual([
		{ action: 'suspend', by: 'ann', done: true },
		{ action: 'export', by: 'ann', done: true },
		{ action: 'erase', by: 'ann', done: true },
	]);
	await expectNoViolation(page);
	expect(wrong).toEqual([]);
}, 180_000);

test('without scripts, pages and actions work', async () => {
	const rig = await startConsole();
	onTestFinished(() => rig.close());
	rig.info.create(recordOf('one', { keepEndedMs: 60_000 }));
	const context = await open({ javaScriptEnabled: false });
	onTestFinished(() => context.close());
	const page = await context.newPage();
	await page.goto(rig.url);
	await page.getByRole('link', { name: 'Sessions' }).first().click();
	await page.getByRole('link', { name: shortHash('one') }).click();
	await page.locator('summary', { hasText: 'End session' }).click();
	await page.getByLabel('Reason', { exact: true }).last().fill('it is a test');
	await page.getByRole('button', { name: 'End session' }).click();
	await page.getByText('The session was ended on every node.').waitFor();
	expect(rig.info.read('one')).toBeUndefined();
}, 180_000);

const hostile = [
	'<script>alert(1)</script>',
	'"><img src=x onerror=alert(1)>',
	"'-alert(1)-'",
	'</title><svg onload=alert(1)>',
	'javascript:alert(1)',
	'{{constructor.constructor("alert(1)")()}}',
	'\u202egnp.exe',
	'<a href="https://evil.example">click</a>',
];

test('whatever clients call themselves and their resources is text', async () => {
	const rig = await startConsole();
	onTestFinished(() => rig.close());
	for (const [n, text] of hostile.entries()) {
		rig.info.create(
			recordOf(`hostile-${n}`, { client: text, principal: `https://id.example ${text}`, protocolVersion: text }),
		);
		rig.info.addSubscription(`hostile-${n}`, text);
		rig.info.writeState(`hostile-${n}`, text, '*', '"value"');
		rig.activity.event({ type: 'session-ended', sessionId: `${n}`, reason: text }, text);
	}
	rig.info.announceNode(
		{ id: hostile[1] ?? '', version: hostile[0] ?? '', address: hostile[4], startedAt: 0, state: 'ready', counts: {} },
		60_000,
	);
	const context = await open();
	onTestFinished(() => context.close());
	const page = await context.newPage();
	const wrong = watch(page);
	const foreign: string[] = [];
	page.on('request', (request) => {
		if (!request.url().startsWith(new URL(rig.url).origin)) foreign.push(request.url());
	});
	const clean = (text: string) => text.replaceAll('\u202e', '\ufffd');
	const sessions = hostile.map((_, n) => `sessions/${shortHash(`hostile-${n}`)}?state=1`);
	const persons = hostile.map((text) => `person?principal=${encodeURIComponent(`https://id.example ${text}`)}`);
	for (const path of [
		'',
		'sessions',
		`sessions?q=${encodeURIComponent(hostile[1] ?? '')}`,
		'people',
		'nodes',
		'activity',
		...sessions,
		...persons,
	]) {
		await page.goto(`${rig.url}${path}`);
		const made = await page.evaluate(() => ({
			scripts: document.querySelectorAll('script:not([src$="assets/live.js"])').length,
			images: document.querySelectorAll('main img, main svg[onload]').length,
			handlers: [...document.querySelectorAll('*')].filter((element) =>
				element.getAttributeNames().some((name) => name.startsWith('on')),
			).length,
			links: [...document.querySelectorAll('a')].filter(({ origin }) => origin !== location.origin).length,
		}));
		expect({ path, ...made }).toEqual({ path, scripts: 0, images: 0, handlers: 0, links: 0 });
		await expectNoViolation(page);
	}
	await page.goto(`${rig.url}sessions`);
	for (const text of hostile)
		await page
			.getByRole('cell', { name: `${clean(text)} 1.0` })
			.first()
			.waitFor();
	expect({ wrong, foreign }).toEqual({ wrong: [], foreign: [] });
}, 180_000);

test('what would break the policy is blocked', async () => {
	const context = await open();
	onTestFinished(() => context.close());
	const page = await context.newPage();
	await page.goto(sample.url);
	await page.evaluate(() => {
		const attempt = (work: () => void) => {
			try {
				work();
			} catch {
				// It is blocked.
			}
		};
		const script = document.createElement('script');
		attempt(() => {
			script.text = 'globalThis.ran = true';
		});
		attempt(() => script.append('globalThis.ran = true'));
		attempt(() => document.body.append(script));
		attempt(() => document.body.setAttribute('style', 'color: red'));
		attempt(() => {
			document.body.innerHTML = '<b>new</b>';
		});
	});
	expect(await page.evaluate(() => 'ran' in globalThis)).toBe(false);
	const violations = await page.evaluate(() => (globalThis as { readonly violations?: string[] }).violations);
	expect(violations?.some((text) => text.startsWith('require-trusted-types-for'))).toBe(true);
	expect(violations?.some((text) => text.startsWith('style-src'))).toBe(true);
}, 180_000);
