// Three days, each in a process that is killed with -9, and a check of what is left: to the last discovery.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Conversations, FileConversationStore } from '@holdfast/conversations';

const folder = await mkdtemp(join(tmpdir(), 'holdfast-three-days-'));
const program = fileURLToPath(new URL('./day.js', import.meta.url));

/** Lets a day pass until a line of it begins with `until`; then kills the process. Returns what it told. */
async function pass(day: number, until: string): Promise<string[]> {
	const child = spawn(process.execPath, [program, String(day), folder], { stdio: ['ignore', 'pipe', 'inherit'] });
	const exit = once(child, 'exit');
	const told: string[] = [];
	for await (const line of createInterface({ input: child.stdout })) {
		told.push(line);
		if (!/^(noted \d+|end of day)$/.test(line)) console.log(line);
		if (line.startsWith(until)) child.kill('SIGKILL');
	}
	assert.deepEqual(await exit, [null, 'SIGKILL']);
	console.log(`\n(killed with -9 at the end of day ${day})`);
	return told;
}

await pass(1, 'end of day');
const second = await pass(2, 'noted 5');
const third = await pass(3, 'end of day');

const store = new FileConversationStore(folder);
const conversation = await new Conversations(store).of('developer').open('debug-memory-leak-2025-09');
const { state, metadata, endReason, suspendedAt, resumedAt } = await conversation.head();
assert.deepEqual([state, endReason, metadata['platform']], ['terminated', 'solved', 'AWS EC2 t3.large']);
assert.equal(new Date(suspendedAt ?? 0).toISOString().slice(0, 10), '2025-09-02');
assert.equal(new Date(resumedAt ?? 0).toISOString().slice(0, 10), '2025-09-03');

const discoveries = await conversation.discoveries();
assert.deepEqual(
	discoveries.map(({ title }) => title),
	[
		'In-memory cache has no eviction policy',
		'Webhook queue grows unbounded',
		'Memory leak caused by unbounded in-memory cache',
		'Analytics data is being cached indefinitely',
		'Bounded LRU cache and expiring analytics end the leak',
	],
);
assert.deepEqual((await conversation.context()).map(({ key }) => key).sort(), [
	'cache_analysis',
	'deployment_diff',
	'verification_metrics',
]);

// Every note that the second day was told is stored is there: the kill came in the middle of the next.
const noted = second.filter((line) => line.startsWith('noted ')).length;
const messages = await conversation.history({ limit: 10_000 });
const notes = messages.filter(({ content }) => String(content).startsWith('Note '));
assert.ok(notes.length >= noted && noted >= 5, `${notes.length} notes of ${noted}`);
assert.deepEqual(
	messages.map(({ number }) => number),
	messages.map((_message, index) => index + 1),
);
for (const line of ['  - Analytics data is being cached indefinitely', '  - In-memory cache has no eviction policy']) {
	assert.ok(third.includes(line), line);
}
const { open } = await conversation.resume();
assert.deepEqual(open, []);

await store.close();
await rm(folder, { recursive: true });
console.log(
	`\nthree days, three processes, three kills: ${discoveries.length} discoveries, ${messages.length} messages`,
);
