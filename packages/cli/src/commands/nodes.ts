import type { Command } from '../command.js';
import { exitCodes, UsageError } from '../exit.js';
import { withStore } from '../store/open-store.js';
import { ageOf, dateOf, writeJson, writeTable } from '../terminal.js';

/** Lists what the nodes announced last; one that hangs disappears when its announcement expires. */
export const listNodes: Command = (call) =>
	withStore(call.settings, call.terminal.folder, async ({ info }) => {
		if (call.arguments.length > 0) throw new UsageError('nodes takes no arguments.');
		// Whether the store is there at all.
		await info.read('nodes');
		const nodes = [...(await info.nodes())].sort((one, other) => one.startedAt - other.startedAt);
		if (call.flags['json'] === true) {
			const shown = nodes.map(({ startedAt, ...node }) => ({ ...node, startedAt: dateOf(startedAt) }));
			writeJson(call.terminal, { nodes: shown });
			return exitCodes.fine;
		}
		const counts = [...new Set(nodes.flatMap((node) => Object.keys(node.counts)))];
		writeTable(
			call.terminal,
			['NODE', 'STATE', 'VERSION', 'ADDRESS', 'UP', ...counts.map((name) => name.toUpperCase())],
			nodes.map((node) => [
				node.id,
				node.state,
				node.version,
				node.address ?? '–',
				ageOf(node.startedAt, call.now),
				...counts.map((name) => String(node.counts[name] ?? '–')),
			]),
		);
		return exitCodes.fine;
	});
