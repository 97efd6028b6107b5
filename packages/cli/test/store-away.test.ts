import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));

interface Ended {
	readonly code: unknown;
	readonly stdout: string;
	readonly stderr: string;
}

/** Runs the command as a process of its own: it lives only as long as something keeps it alive. */
function ended(args: readonly string[]): Promise<Ended> {
	return new Promise((resolve) => {
		execFile(process.execPath, [program, ...args], { env: {} }, (error, stdout, stderr) => {
			resolve({ code: error === null ? 0 : error.code, stdout, stderr });
		});
	});
}

const commands = [
	'nodes',
	'sessions list',
	'sessions show some-session',
	'sessions end some-session',
	'sessions suspend some-session',
	'people export ann',
	'people erase ann --yes',
	'console',
	'migrate',
];
const ofConversations = ['list', 'show some-conversation', 'export some-conversation'].map(
	(verb) => `conversations ${verb}`,
);
const away = 'me:secret@127.0.0.1:1';
const unavailable = {
	code: 3,
	stdout: '',
	stderr: expect.stringMatching(/^holdfast: .+ (is unavailable|lacks migrations).*\n$/m),
};

// Each waits for its own store in vain, and all of them can do so at the same time.
describe.concurrent('a process says that its store is away, and ends with code 3', () => {
	it.each([
		...commands.map((command) => `${command} --store redis://${away}`),
		...commands.map((command) => `${command} --store postgres://${away}/shop`),
		...ofConversations.map((command) => `${command} --conversations postgres://${away}/shop`),
	])('%s', async (line) => {
		const outcome = await ended(line.split(' '));
		expect(outcome).toEqual(unavailable);
		expect(outcome.stderr).not.toContain('secret');
	});
});

describe('a process says that its PostgreSQL cannot be used, and ends with code 3', () => {
	let postgres: PostgresServer;
	beforeAll(async () => {
		postgres = await PostgresServer.create();
		await postgres.query('create role poor login');
		return () => postgres.dispose();
	});

	it.each([
		['its database is not there', 'postgres', 'elsewhere', 'nodes'],
		['it was never migrated', 'postgres', 'postgres', 'sessions list'],
		['its role may not migrate it', 'poor', 'postgres', 'migrate'],
	])('where %s', async (_, user, database, line) => {
		const store = `postgres://${user}@127.0.0.1:${postgres.port}/${database}`;
		expect(await ended([...line.split(' '), '--store', store])).toEqual(unavailable);
	});
});
