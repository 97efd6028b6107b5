import { beforeAll, expect, test } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { diagnose, type Finding, type Settings } from '../src/index.ts';
import { holdfast } from './support/command-line.ts';
import { tamperingProxy, withoutNotifications } from './support/tampering-proxy.ts';

let postgres: PostgresServer;

beforeAll(async () => {
	postgres = await PostgresServer.create();
	expect(await holdfast(['migrate', '--store', postgres.url])).toMatchObject({ code: 0 });
	return () => postgres.dispose();
});

async function findingsIn(store: string, settings: Settings = {}): Promise<readonly Finding[]> {
	return (await diagnose({ store, ...settings })).findings;
}

function found(code: string, what: RegExp, repair: RegExp) {
	return { code, what: expect.stringMatching(what), repair: expect.stringMatching(repair) };
}

test('nothing is found in a PostgreSQL that was migrated', async () => {
	expect(await findingsIn(postgres.url)).toEqual([]);
});

test('a schema that was not migrated is found, and is left as it is', async () => {
	const settings = { schema: 'other' };
	const lacking = [found('postgres-migration', /never migrated/, /holdfast migrate/)];
	expect(await findingsIn(postgres.url, settings)).toEqual(lacking);
	expect(await findingsIn(postgres.url, settings)).toEqual(lacking);
	await holdfast(['migrate', '--store', postgres.url, '--schema', 'other']);
	expect(await findingsIn(postgres.url, settings)).toEqual([]);
});

test('an administrator can migrate with what is printed', async () => {
	const { out } = await holdfast(['migrate', '--print', '--store', postgres.url, '--schema', 'printed']);
	await postgres.query(out);
	expect(await findingsIn(postgres.url, { schema: 'printed' })).toEqual([]);
});

test('a right that the role lacks is found, and the rights of the README suffice', async () => {
	await postgres.query(`create role app login;
		grant usage on schema holdfast to app;
		grant select, insert, update, delete on all tables in schema holdfast to app;
		grant execute on all functions in schema holdfast to app`);
	const url = postgres.url.replace('postgres@', 'app@');
	expect(await findingsIn(url)).toEqual([found('postgres-right', /app lacks rights: event_0: truncate/, /Grant what/)]);
	await postgres.query(
		'grant truncate on holdfast.event_0, holdfast.event_1, holdfast.event_2, holdfast.event_3 to app',
	);
	expect(await findingsIn(url)).toEqual([]);
});

test('a pooler in the way of LISTEN is found, and listenUrl repairs it', async () => {
	const port = await tamperingProxy(postgres.port, { reply: withoutNotifications });
	const url = `postgres://postgres:secret@127.0.0.1:${port}/postgres`;
	const findings = await findingsIn(url);
	expect(findings).toEqual([found('postgres-pooler', /pooler may be in the way/, /listenUrl/)]);
	expect(JSON.stringify(findings)).not.toContain('secret');
	expect(await findingsIn(url, { listenUrl: postgres.url })).toEqual([]);
});

test('a PostgreSQL that cannot be reached is found', async () => {
	const findings = await findingsIn('postgres://user:secret@127.0.0.1:1/postgres');
	expect(findings).toEqual([found('store-unreachable', /cannot be reached/, /See that it runs/)]);
	expect(JSON.stringify(findings)).not.toContain('secret');
});
