import assert from 'node:assert/strict';
import { PostgresStreamSessionManager } from '@holdfast/session-manager-postgres';
import { open, sse } from '@holdfast/session-manager-test-kit/own-cases';
import { afterAll, beforeAll, it } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { until } from '../../../test/support/until.ts';

let server: PostgresServer;
let streams: PostgresStreamSessionManager;
beforeAll(async () => {
	server = await PostgresServer.create();
	streams = new PostgresStreamSessionManager(server.url);
	await until('it is connected', async () => !(await streams.has(' a')));
}, 30_000);
afterAll(async () => {
	await streams?.close();
	await server?.dispose();
});

it('who asks whether anybody listens does not take another who asks for a listener', async () => {
	const listener = await open(streams, ' a');
	assert.equal(await streams.has(' a'), true);
	const [lock] = await server.query<{ key: string }>(
		`select ((classid::bigint << 32) | objid::bigint)::text as key from pg_locks
		where locktype = 'advisory' and mode = 'ShareLock'`,
	);
	listener.leave();
	await until('nobody listens', async () => !(await streams.has(' a')));
	const other = await server.client();
	const key = lock?.key ?? '';
	await other.query(`begin; select pg_advisory_xact_lock(${key} # 1), pg_try_advisory_xact_lock(${key})`);
	const asked = streams.has(' a');
	await until('it waits for the other', async () => {
		const waiting = await server.query(`select from pg_stat_activity where wait_event = 'advisory'`);
		return waiting.length > 0;
	});
	await other.query('commit');
	assert.equal(await asked, false);
});

it('an event that the full queue of notifications does not take is refused as any that PostgreSQL cannot take now', async () => {
	// As PostgreSQL says it, where a listener has not read for so long that 8 GB wait.
	await server.query(`create function full_queue() returns trigger language plpgsql as $$ begin
			raise exception using errcode = '54000', message = 'too many notifications in the NOTIFY queue'; end $$;
		create trigger full_queue before insert or update on holdfast.stream execute function full_queue()`);
	await assert.rejects(async () => streams.send(['s'], sse(1)), { code: 'unavailable' });
	await server.query('drop trigger full_queue on holdfast.stream');
	await streams.send(['s'], sse(2));
});
