import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';
import { open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { RedisServer } from '../../../test/support/redis/redis-server.ts';
import { until } from '../../../test/support/until.ts';
import { Writer } from '../../../test/support/writer.ts';

interface Line {
	readonly id: string;
	readonly continuation?: string;
	readonly event?: string;
	readonly closed?: boolean;
}

/** A process of its own that holds streams. */
class Holder {
	readonly lines: Line[] = [];
	readonly process: ChildProcess;

	constructor(url: string, ids: readonly string[]) {
		const program = fileURLToPath(new URL('support/holder.mjs', import.meta.url));
		const child = spawn(process.execPath, [program, url, ...ids], { stdio: ['pipe', 'pipe', 'inherit'] });
		this.process = child;
		createInterface(child.stdout).on('line', (line) => this.lines.push(JSON.parse(line)));
	}

	async holds(id: string): Promise<void> {
		await until(`${id} is held`, () => this.lines.some((line) => line.id === id && line.continuation !== undefined));
	}

	texts(id: string): string[] {
		const events = this.lines.filter((line) => line.id === id).flatMap(({ event }) => event ?? []);
		return events.map((event) => /^data: (.*)$/m.exec(event)?.[1] ?? '').filter((text) => text !== 'prime');
	}

	lastEventId(id: string): string {
		return this.lines.findLast((line) => line.id === id && line.event)?.event?.match(/^id: (.*)$/m)?.[1] ?? '';
	}

	async kill(): Promise<void> {
		if (this.process.exitCode !== null || this.process.signalCode !== null) return;
		const gone = once(this.process, 'close');
		this.process.kill('SIGKILL');
		await gone;
	}
}

describe('a node that is killed with -9', () => {
	let server: RedisServer;
	let streams: RedisStreamSessionManager;
	const holders: Holder[] = [];
	const holder = async (...ids: string[]) => {
		const made = new Holder(server.url, ids);
		holders.push(made);
		for (const id of ids) await made.holds(id);
		return made;
	};
	beforeAll(async () => {
		server = await RedisServer.create();
		streams = new RedisStreamSessionManager(server.url);
	});
	afterEach(() => Promise.all(holders.splice(0).map((each) => each.kill())));
	afterAll(async () => {
		await streams?.close();
		await server?.dispose();
	});

	it('holds its streams and its address no longer than it lives', async () => {
		const node = await holder('s', 's 1', ' node');
		for (const id of ['s', 's 1', ' node']) assert.equal(await streams.has(id), true);
		await node.kill();
		const killed = performance.now();
		for (const id of ['s', 's 1', ' node']) await until('it is free', async () => !(await streams.has(id)));
		assert.ok(performance.now() - killed < 1_000);
	});

	it('loses its stream to the next at once, which continues where the client was', async () => {
		const node = await holder('resumed');
		const writer = new Writer(streams, ['resumed']);
		await writer.takes(50);
		await node.kill();
		await writer.takes(10);
		const begin = performance.now();
		const client = await open(streams, 'resumed', { lastEventId: node.lastEventId('resumed') });
		assert.ok(performance.now() - begin < 1_000);
		assert.equal(client.continuation, 'resumed');
		await writer.takes(10);
		await writer.stop();
		await client.hears(writer.taken.at(-1) ?? '');
		assert.deepEqual(writer.missingIn([...node.texts('resumed'), ...client.texts]), []);
		assert.deepEqual(writer.refused, []);
	});

	it('keeps what is sent after its death for a client that comes without an id', async () => {
		const node = await holder('fresh');
		await node.kill();
		await until('it is free', async () => !(await streams.has('fresh')));
		for (const n of [1, 2, 3]) await streams.send(['fresh'], sse(n));
		const client = await open(streams, 'fresh');
		assert.equal(client.continuation, 'fresh');
		assert.deepEqual(await client.has(3), ['1', '2', '3']);
	});

	it('may have taken messages with it, which is told to a client that comes without an id', async () => {
		const node = await holder('told');
		await streams.send(['told'], sse('perhaps never read'));
		await node.kill();
		await until('it is free', async () => !(await streams.has('told')));
		assert.equal((await open(streams, 'told')).continuation, 'gap');
		assert.equal((await open(streams, 'told')).continuation, 'fresh');
	});

	it('is replaced at once while it hangs, and gives way when it wakes up', async () => {
		const node = await holder('hangs');
		node.process.kill('SIGSTOP');
		const client = await open(streams, 'hangs');
		await streams.send(['hangs'], sse(1));
		assert.deepEqual(await client.hears(1), ['1']);
		node.process.kill('SIGCONT');
		await until('it closes its stream', () => node.lines.some(({ closed }) => closed));
		await streams.send(['hangs'], sse(2));
		assert.deepEqual(await client.hears(2), ['1', '2']);
		assert.deepEqual(node.texts('hangs'), []);
	});
});
