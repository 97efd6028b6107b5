import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SerializedError } from 'vitest';
import type { Reporter, TestModule } from 'vitest/node';

const file = fileURLToPath(new URL('../.cache/test-summary.txt', import.meta.url));

/**
 * Writes one line, `N passed, N failed` (and `, N skipped` if any were), where `npm test` and CI read it.
 * What broke outside of a test (a module that does not load, a failed hook, an unhandled rejection) counts as failed.
 */
export class SummaryReporter implements Reporter {
	onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
		const count = { passed: 0, failed: unhandled.length, skipped: 0 };
		for (const module of modules) {
			count.failed += module.errors().length;
			for (const suite of module.children.allSuites()) count.failed += suite.errors().length;
			for (const test of module.children.allTests()) {
				const { state } = test.result();
				count[state === 'pending' ? 'failed' : state] += 1;
			}
		}
		const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
		mkdirSync(dirname(file), { recursive: true });
		writeFileSync(file, `${count.passed} passed, ${count.failed} failed${skipped}\n`);
	}
}
