import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { SessionManagerError, SessionState } from '@holdfast/session-manager';
import { PostgresInfoSessionManager, postgresSchemaSql } from '@holdfast/session-manager-postgres';
import { sampleRecord } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, beforeAll, beforeEach, describe, it } from 'vitest';
import { TcpProxy } from '../../../test/support/network/tcp-proxy.ts';
import { assertReadAtClose } from '../../../test/support/network/unnoticed-close.ts';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';

let server: PostgresServer;
let proxy: TcpProxy;
let info: PostgresInfoSessionManager;
beforeAll(async () => {
	server = await PostgresServer.create();
	await server.query(postgresSchemaSql());
	proxy = await TcpProxy.to(server.port);
	info = new PostgresInfoSessionManager(server.url.replace(`:${server.port}/`, `:${proxy.port}/`));
});
beforeEach(async () => {
	await until('it is connected', () => info.create(sampleRecord('s')));
	return async () => void (await info.delete('s'));
});
afterAll(async () => {
	await info?.close();
	await proxy?.dispose();
	await server?.dispose();
});

/** Every call of the contract. */
const calls = (): (() => Promise<unknown>)[] => [
	() => info.create(sampleRecord('t')),
	() => info.read('s'),
	() => info.update('s', { logLevel: 'debug' }),
	() => info.touch('s', 1),
	() => info.end('t', 1, 'done'),
	() => info.delete('t'),
	() => info.addSubscription('s', 'x:1'),
	() => info.removeSubscription('s', 'x:1'),
	() => info.getSubscriptions('x:1'),
	() => info.getSubscribedUris('s'),
	() => info.readState('s', 'k'),
	() => info.listState('s'),
	() => info.writeState('s', 'k', '*', 's1'),
	() => info.scan(undefined, 10),
];

async function assertUnavailable(work: Promise<unknown>): Promise<void> {
	const begin = performance.now();
	await assert.rejects(work, { name: 'SessionManagerError', code: 'unavailable' });
	assert.ok(performance.now() - begin < 1_000);
}

describe('the sessions of a PostgreSQL that is away', () => {
	it('are unavailable within a second, whatever is asked, and there again when it is', async () => {
		for (const fail of [() => proxy.stall(), () => proxy.refuse()]) {
			fail();
			await Promise.all(calls().map((call) => assertUnavailable(call())));
			proxy.flow();
			await until('PostgreSQL answers', async () => (await info.read('s')) !== undefined);
		}
		proxy.refuse();
		await assertUnavailable(info.create(sampleRecord('refused')));
		proxy.flow();
		await until('PostgreSQL answers', async () => (await info.read('s')) !== undefined);
		assert.equal(await info.read('refused'), undefined, 'What could not be given to PostgreSQL was done later.');
	});

	it('change once for each change that was answered, and at most once for each that was not', async () => {
		const state = new SessionState(info, 's');
		let done = 0;
		let unknown = 0;
		const writers = Array.from({ length: 4 }, async () => {
			while (done < 400) {
				try {
					await state.increment('count');
					done++;
					if (done % 50 === 0) proxy.drop();
				} catch (error) {
					assert.ok(error instanceof SessionManagerError && error.code === 'unavailable', String(error));
					unknown++;
				}
			}
		});
		await Promise.all(writers);
		const count = Number(await until('PostgreSQL answers', async () => (await state.get('count')) ?? false));
		assert.ok(unknown > 0);
		assert.ok(done <= count && count <= done + unknown, `${done} answered, ${unknown} not, ${count} counted`);
	});

	it('are read on the next connection while the client has not noticed yet that its own is closed', async () => {
		await assertReadAtClose(proxy, () => info.read('s'));
	});

	it('are read although this process did not run for longer than a server may be silent', async () => {
		await using direct = new PostgresInfoSessionManager(server.url);
		await direct.read('s');
		await setImmediate();
		const read = direct.read('s');
		await new Promise<void>((resolve) => process.nextTick(resolve));
		// It goes on where it looks at its timers before it reads the reply, which has been there for long.
		Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_100);
		assert.ok((await read) !== undefined);
	});
});
