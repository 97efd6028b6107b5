import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Activity, type ConsoleAction, OperatorConsole } from '@holdfast/console';
import { Conversations } from '@holdfast/conversations';
import { Auditor, noteOf } from '../audit.js';
import type { Call, Command } from '../command.js';
import { diagnose } from '../doctor/diagnose.js';
import { UsageError } from '../exit.js';
import { OperatorNode } from '../operator-node.js';
import { openConversations } from '../store/open-conversations.js';
import { withStore } from '../store/open-store.js';

const actions: readonly ConsoleAction[] = ['suspend', 'end', 'export', 'erase'];

/**
 * Serves the console on the loopback until the user interrupts it. The address that is written opens it once: another
 * user of this machine who sees it later cannot use it.
 */
export const openConsole: Command = (call) => {
	const { settings, terminal, arguments: rest } = call;
	if (rest.length > 0) throw new UsageError('console takes no arguments.');
	const allowed = actionsOf(call);
	const port = portOf(call);
	return withStore(settings, terminal.folder, async (store) => {
		const activity = new Activity();
		const audit = new Auditor(call);
		const conversationStore = await openConversations(call);
		const conversations = conversationStore && new Conversations(conversationStore, { sweepIntervalMs: 0 });
		const node = new OperatorNode(store, terminal, [audit, activity]);
		if (!(await node.join()))
			terminal.note('holdfast: The nodes do not hear each other through the store: see holdfast doctor.\n');
		const oneTimeToken = randomBytes(32).toString('base64url');
		const console = new OperatorConsole({
			transport: node,
			info: store.info,
			...(conversations !== undefined && { conversations }),
			activity,
			actions: allowed,
			path: '/',
			authorize: { oneTimeToken, name: noteOf(call).by },
			diagnose: () => diagnose(settings, { folder: terminal.folder }),
			onerror: (error) => terminal.note(`holdfast: ${error.message}\n`),
		});
		const server = createServer((request, response) => {
			// Whoever acts sends a POST.
			if (request.method !== 'POST' || !audit.hasGap) return console.handle(request, response);
			response
				.writeHead(503, { 'content-type': 'text/plain' })
				.end('Nothing is done: the audit log cannot be written.\n');
		});
		try {
			server.listen(port, '127.0.0.1');
			await once(server, 'listening');
			const { port: taken } = server.address() as AddressInfo;
			terminal.out(`http://127.0.0.1:${taken}/?token=${oneTimeToken}\n`);
			await terminal.interrupted();
		} finally {
			console.close();
			server.close();
			server.closeAllConnections();
			await node.close();
			conversations?.close();
			await conversationStore?.close();
		}
		return audit.exitCode;
	});
};

function actionsOf({ flags }: Call): ConsoleAction[] {
	const names = String(flags['actions'] ?? '')
		.split(',')
		.filter((name) => name !== '');
	const unknown = names.find((name) => !(actions as readonly string[]).includes(name));
	if (unknown === undefined) return names as ConsoleAction[];
	throw new UsageError(`--actions takes ${actions.join(', ')}, with commas between, not "${unknown}".`);
}

function portOf({ flags: { port = '0' } }: Call): number {
	const number = /^\d{1,5}$/.test(String(port)) ? Number(port) : Number.NaN;
	if (number <= 65_535) return number;
	throw new UsageError('--port must be a number from 0 to 65535.');
}
