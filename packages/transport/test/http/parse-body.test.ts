import { ManualClock } from '@holdfast/session-manager/testing';
import { expect, it } from 'vitest';
import { BodyBudget } from '../../src/http/body-budget.ts';
import { parseBody } from '../../src/http/parse-body.ts';

const FOUR_MIB = 4 * 1024 * 1024;
const fill = (part: string, open: string, close: string) => open + part.repeat((FOUR_MIB - 100) / part.length) + close;
const members = (name: string) => `{${Array.from({ length: 99_999 }, (_, index) => `"${name}${index}":0`).join(',')}}`;

it.each([
	['a nested array', '['.repeat(FOUR_MIB)],
	['empty arrays', fill('[],', '[', '[]]')],
	['empty objects', fill('{},', '[', '{}]')],
	['numbers', fill('1,', '[', '1]')],
	['a long number', fill('1', '', '')],
	['a string of escaped quotes', fill('\\"', '"', '"')],
	['a string of escapes', fill('\\u0041', '"', '"')],
	['a string of backslashes', fill('\\\\', '"', '"')],
	['white space', fill(' ', '[', ']')],
	['as many members as may be', members('k')],
	['long members', members('k'.repeat(30))],
])('a body is parsed or refused within 200 ms of the processor: %s', (_, text) => {
	const costs: number[] = [];
	for (let round = 0; round < 3; round++) {
		const budget = new BodyBudget(new ManualClock(), {});
		const lease = budget.open('here', 's');
		const before = process.cpuUsage();
		parseBody(Buffer.from(text), lease, () => lease.release());
		const { user, system } = process.cpuUsage(before);
		costs.push((user + system) / 1_000);
		expect(budget.bytes).toBe(0);
	}
	expect(Math.min(...costs)).toBeLessThan(200);
});
