import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ABILITIES, contractCases } from '@holdfast/session-manager-test-kit';
import { it } from 'vitest';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const readme = read('../README.md');

it('the README lists every promise, in the order of the cases', () => {
	const rows = contractCases.map(({ id, promise, needs }) => {
		const sentence = promise.replace(/\{@link (?:\w+\.)?(\w+)\}/g, '`$1`').replace(/;$/, '');
		return `| \`${id}\` | ${sentence} | ${needs.map((ability) => `\`${ability}\``).join(', ')} |`;
	});
	const table = readme.slice(readme.indexOf('## The promises')).match(/^\| `.*$/gm) ?? [];
	assert.deepEqual(table, rows);
});

it('the README tells what to implement for every ability', () => {
	const told = [...readme.matchAll(/^\| `(\w+)` \| [^|]+ \| [^|]+ \|$/gm)].map(([, ability]) => ability);
	assert.deepEqual(told.sort(), Object.keys(ABILITIES).sort());
});

it('the README tells of every primitive what is in one step', () => {
	const contract = read('../../session-manager/src/contract/info-session-manager.ts');
	const step = readme.slice(readme.indexOf('**4. '), readme.indexOf('**5. '));
	const primitives = [...contract.matchAll(/^\tabstract (\w+)\(/gm)].map(([, name]) => name);
	assert.equal(primitives.length, 13);
	for (const name of primitives) assert.ok(step.includes(`\`${name}\``), name);
});

it('the README counts what is not tried as a report does', () => {
	const { length } = contractCases.filter(({ needs }) => needs.includes('history'));
	assert.match(readme, new RegExp(`^✔ not declared: history – ${length} cases do not run …$`, 'm'));
});

it('the READMEs show the manager of four verbs that is tried here', () => {
	const manager = read('./minimal-stream-session-manager.ts');
	assert.ok(readme.includes(`\`\`\`ts\n// minimal-stream-session-manager.ts\n${manager}\`\`\`\n`));
	assert.ok(read('../../session-manager/README.md').includes(`\`\`\`ts\n${manager}\`\`\`\n`));
});
