import { Auditor, noteOf } from '../audit.js';
import { type Command, onlyArgument } from '../command.js';
import { UsageError } from '../exit.js';
import { OperatorNode } from '../operator-node.js';
import { withStore } from '../store/open-store.js';
import { writeJson } from '../terminal.js';

/** Writes JSON with and without `--json`: it is what the person gets. */
export const exportPerson: Command = (call) =>
	withStore(call.settings, call.terminal.folder, async (store) => {
		const principal = onlyArgument(call, 'principal');
		const audit = new Auditor(call);
		const node = new OperatorNode(store, call.terminal, audit);
		try {
			const exported = await node.principals.export(principal, noteOf(call));
			if (!audit.hasGap) writeJson(call.terminal, exported);
		} finally {
			await node.close();
		}
		return audit.exitCode;
	});

export const erasePerson: Command = (call) =>
	withStore(call.settings, call.terminal.folder, async (store) => {
		const principal = onlyArgument(call, 'principal');
		if (call.flags['yes'] !== true) throw new UsageError('What is erased is gone for good: say --yes.');
		const audit = new Auditor(call);
		const node = new OperatorNode(store, call.terminal, audit);
		const erased = await node.act(() => node.principals.erase(principal, noteOf(call)));
		if (call.flags['json'] === true) writeJson(call.terminal, { erased });
		else call.terminal.out(`erased sessions: ${erased}\n`);
		return audit.exitCode;
	});
