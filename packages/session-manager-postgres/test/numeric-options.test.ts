import { postgresSchemaSql, postgresSessionManager } from '@holdfast/session-manager-postgres';
import { afterAll, beforeAll } from 'vitest';
import { describeNumericOptions, NUMBERS } from '../../../test/support/numeric-options.ts';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';

let server: PostgresServer;
beforeAll(async () => {
	server = await PostgresServer.create();
	await server.query(postgresSchemaSql());
});
afterAll(() => server?.dispose());

describeNumericOptions(NUMBERS, (options) => postgresSessionManager(server.url, options));
