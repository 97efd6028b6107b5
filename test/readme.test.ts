import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

test('the quick start in the README is the example that runs in CI', async () => {
	const readme = await readFile(`${root}README.md`, 'utf8');
	const example = await readFile(`${root}examples/quickstart/src/server.ts`, 'utf8');
	expect(readme).toContain(`\`\`\`ts\n${example}\`\`\`\n`);
});
