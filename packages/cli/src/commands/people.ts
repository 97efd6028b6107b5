import { auditor, noteOf } from '../audit.js';
import { type Command, onlyArgument } from '../command.js';
import { exitCodes, UsageError } from '../exit.js';
import { OperatorNode } from '../operator-node.js';
import { withStore } from '../store/open-store.js';
import { writeJson } from '../terminal.js';

/** Writes JSON with and without `--json`: it is what the person gets. */
export const exportPerson: Command = (call) =>
	withStore(call.settings, call.terminal.folder, async (store) => {
		const principal = onlyArgument(call, 'principal');
		const node = new OperatorNode(store, auditor(call));
		try {
			writeJson(call.terminal, await node.principals.export(principal, noteOf(call)));
		} finally {
			await node.close();
		}
		return exitCodes.fine;
	});

export const erasePerson: Command = (call) =>
	withStore(call.settings, call.terminal.folder, async (store) => {
		const principal = onlyArgument(call, 'principal');
		if (call.flags['yes'] !== true) throw new UsageError('What is erased is gone for good: say --yes.');
		const node = new OperatorNode(store, auditor(call));
		const erased = await node.act(() => node.principals.erase(principal, noteOf(call)));
		if (call.flags['json'] === true) writeJson(call.terminal, { erased });
		else call.terminal.out(`erased sessions: ${erased}\n`);
		return exitCodes.fine;
	});
