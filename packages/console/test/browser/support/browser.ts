import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { findProgram } from '@holdfast/local-cluster';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { beforeAll, expect } from 'vitest';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** A Chromium for all tests of a file. */
export function useBrowser(): (options?: BrowserContextOptions) => Promise<BrowserContext> {
	let browser: Browser | undefined;
	beforeAll(async () => {
		browser = await chromium.launch({
			executablePath: findProgram('chromium', 'CHROMIUM'),
			headless: true,
			args: [
				'--no-sandbox',
				'--disable-gpu',
				'--disable-quic',
				'--no-first-run',
				'--disable-background-networking',
				'--disable-component-update',
				'--disable-sync',
			],
		});
		return () => browser?.close();
	}, 60_000);
	return async (options = {}) => {
		if (browser === undefined) throw new Error('The browser runs only while tests run.');
		const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
		// Runs before any script of a page, whatever its policy says.
		await context.addInitScript(() => {
			const seen: string[] = [];
			Object.assign(globalThis, { violations: seen });
			document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile }) => {
				seen.push(`${violatedDirective} ${blockedURI} ${sourceFile}`);
			});
		});
		return context;
	};
}

/** Watches what goes wrong on a page; returns what did. */
export function watch(page: Page): string[] {
	const wrong: string[] = [];
	page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
	page.on('dialog', (dialog) => {
		wrong.push(`dialog: ${dialog.message()}`);
		void dialog.dismiss();
	});
	page.on('console', (message) => {
		if (message.type() === 'error') wrong.push(`console: ${message.text()}`);
	});
	return wrong;
}

/** The page broke no rule of its policy, so far. */
export async function expectNoViolation(page: Page): Promise<void> {
	expect(await page.evaluate(() => (globalThis as { readonly violations?: string[] }).violations)).toEqual([]);
}

/**
 * The page has no violation of any rule of axe. The debugger brings axe into the page: the policy stays in force, and
 * what axe itself breaks does not count.
 */
export async function expectAccessible(page: Page, where: string): Promise<void> {
	const isThere = await page.evaluate(() => 'axe' in globalThis);
	if (!isThere) {
		await expectNoViolation(page);
		await page.evaluate(axe);
	}
	const found = await page.evaluate(async () => {
		const { axe } = globalThis as unknown as { readonly axe: typeof import('axe-core') };
		const { violations } = await axe.run(document, { resultTypes: ['violations'] });
		return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
	});
	expect(found, where).toEqual([]);
}

/** Nothing of the page is wider than the window. */
export async function expectNoOverflow(page: Page): Promise<void> {
	const { content, window } = await page.evaluate(() => ({
		content: document.documentElement.scrollWidth,
		window: document.documentElement.clientWidth,
	}));
	expect(content).toBeLessThanOrEqual(window);
}
