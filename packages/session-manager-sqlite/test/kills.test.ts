import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { after, open, sampleRecord, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { DatabaseSync } from '@photostructure/sqlite';
import { expect, it } from 'vitest';
import { SessionFile } from './support/session-file.ts';

/** How many lives; `KILLS=500 npx vitest run packages/session-manager-sqlite/test/kills` takes some minutes. */
const LIVES = Number(process.env['KILLS'] ?? 10);
/** A life is this many statements long at most: about a dozen transactions. */
const LONGEST = 400;

const program = fileURLToPath(new URL('./support/mortal.mjs', import.meta.url));

it(`${LIVES} processes killed between any two statements lose nothing that was acknowledged, and damage nothing`, {
	timeout: 30_000 + LIVES * 3_000,
}, async () => {
	using file = new SessionFile();
	const limits = { history: { maxEvents: 1e6, maxBytes: 1e9 }, maxSessions: 0 };
	const { streams, info } = sqliteSessionManager(file.path, limits);
	const problems: string[] = [];
	streams.onerror = (error) => problems.push(error.message);
	await info.create(sampleRecord('s'));
	// One client comes back after each life, another has its stream open all the time.
	let client = await open(streams, 's', { prime: sse('prime') });
	const events: string[] = [];
	const sessions = new Map<string, boolean>();
	let count = 0;
	for (let life = 1; life <= LIVES; life++) {
		client.leave();
		// Each statement is the last one at some time.
		const killAt = 1 + ((life * 37) % LONGEST);
		const child = spawn(process.execPath, [program, file.path, String(killAt), String(life)]);
		let output = '';
		child.stdout.setEncoding('utf8').on('data', (text: string) => {
			output += text;
		});
		let noise = '';
		child.stderr.setEncoding('utf8').on('data', (text: string) => {
			noise += text;
		});
		const [, signal] = await once(child, 'close');
		assert.equal(signal, 'SIGKILL', noise);
		const database = new DatabaseSync(file.path);
		assert.deepEqual(database.prepare('PRAGMA integrity_check').all().map(Object.values), [['ok']]);
		database.close();

		const acknowledged = output.split('\n').filter((line) => line !== '');
		const back = await open(streams, 's', after(client, client.received.length));
		assert.equal(back.continuation, 'resumed');
		await streams.send(['s'], sse(`life ${life} is over`));
		const texts = await back.hears(`life ${life} is over`);
		const wanted = acknowledged.filter((line) => /^(own|all) /.test(line));
		assert.deepEqual(
			wanted.filter((line) => !texts.includes(line)),
			[],
		);
		assert.equal(new Set(texts).size, texts.length);
		for (const label of ['own', 'all']) {
			const numbers = texts.filter((text) => text.startsWith(`${label} `)).map((text) => Number(text.split(' ')[2]));
			assert.deepEqual(
				numbers,
				numbers.map((_, index) => index + 1),
			);
		}
		events.push(...texts);
		client = back;

		for (const line of acknowledged) {
			if (line.startsWith('session ')) sessions.set(line, true);
			if (line.startsWith('ended ')) sessions.set(line.slice('ended '.length), false);
			if (line.startsWith('count ')) count = Math.max(count, Number(line.split(' ')[1]));
		}
		// Nobody knows whether the last one has ended.
		const last = acknowledged.findLast((line) => line.startsWith('session '));
		if (last !== undefined && sessions.get(last) === true) sessions.delete(last);
		for (const [id, lives] of sessions) assert.equal((await info.read(id)) !== undefined, lives, id);
		// What was not acknowledged may have been written, or not.
		const stored = Number((await info.readState('s', 'count'))?.value ?? 0);
		assert.ok(stored === count || stored === count + 1, `${stored} is counted, and ${count} was acknowledged.`);
		count = stored;
	}
	const subscribed = new Set(await info.getSubscriptions('file:///a'));
	for (const [id, lives] of sessions) assert.equal(subscribed.has(id), lives, id);
	expect(problems).toEqual([]);
	await streams.close();
	await info.close();
});
