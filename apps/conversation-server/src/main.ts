#!/usr/bin/env node
import { FileConversationStore } from '@holdfast/conversations';
import { placeOf } from '@holdfast/session-manager/custom';
import { openConversations } from './conversation-server.js';
import { parseOptions, type ServerOptions, USAGE, UsageError } from './options.js';
import { serveOverHttp } from './serve-http.js';
import { serveOverStdio } from './serve-stdio.js';
import { kindOf } from './share-key.js';

try {
	const options = parseOptions(process.argv.slice(2));
	if (options === 'help') process.stdout.write(USAGE);
	else if (options.repair !== undefined) await repair(options.repair, options);
	else await serve(options);
} catch (error) {
	process.exitCode = error instanceof UsageError ? 2 : 1;
	const message = error instanceof Error ? error.message : String(error);
	process.stderr.write(`conversation-server: ${message}${error instanceof UsageError ? ' Try --help.' : ''}\n`);
}

async function serve(options: ServerOptions): Promise<void> {
	if (options.port === undefined) {
		serveOverStdio(await openConversations(options), options);
		return;
	}
	process.stdout.write(`Conversations of ${placeOf(options.store)} at ${await serveOverHttp(options)}\n`);
}

async function repair(id: string, { store: name }: ServerOptions): Promise<void> {
	if (kindOf(name) !== 'files') throw new UsageError('repair needs the folder that --store names.');
	const store = new FileConversationStore(name);
	const repaired = await store.repair(id);
	await store.close();
	if (repaired === undefined) throw new Error(`There is no conversation "${id}".`);
	const what = repaired.length === 0 ? 'nothing was damaged' : `repaired ${repaired.join(', ')}`;
	process.stdout.write(`${id}: ${what}\n`);
}
