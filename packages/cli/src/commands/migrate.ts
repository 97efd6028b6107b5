import type { Command } from '../command.js';
import { exitCodes, UsageError } from '../exit.js';
import { engineOf, openStore } from '../store/open-store.js';

/** Brings the store up to date, as a server does when it starts, or prints the SQL for an administrator. */
export const migrate: Command = async ({ settings, flags, terminal }) => {
	const engine = engineOf(settings.store);
	if (flags['print'] === true) {
		if (engine !== 'postgres') throw new UsageError('--print is for PostgreSQL; other stores need no SQL.');
		const { postgresSchemaSql } = await import('@holdfast/session-manager-postgres');
		terminal.out(postgresSchemaSql(settings.schema));
		return exitCodes.fine;
	}
	const store = await openStore(settings, { migrate: true }, terminal.folder);
	try {
		await store.info.read('migrate');
	} finally {
		await store.close();
	}
	if (flags['json'] === true) terminal.out('{ "migrated": true }\n');
	else terminal.out(`${store.name} is up to date.\n`);
	return exitCodes.fine;
};
