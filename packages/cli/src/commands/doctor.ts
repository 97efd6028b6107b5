import type { Command } from '../command.js';
import { diagnose } from '../doctor/diagnose.js';
import { exitCodes, UsageError } from '../exit.js';
import { shownText, writeJson } from '../terminal.js';

export const doctor: Command = async ({ settings, terminal, flags, arguments: rest }) => {
	if (rest.length > 0) throw new UsageError('doctor takes no arguments.');
	if (settings.store === undefined && settings.url === undefined)
		throw new UsageError('Name a store with --store, an endpoint with --url, or both.');
	if (settings.url !== undefined && !/^https?:\/\/./.test(settings.url))
		throw new UsageError('--url must be the address of the endpoint, such as https://host/mcp.');
	const { findings, examined, unreachable } = await diagnose(settings, { folder: terminal.folder });
	if (flags['json'] === true) writeJson(terminal, { examined, findings });
	else {
		for (const { code, what, repair } of findings)
			terminal.out(`✗ ${shownText(what)} [${code}]\n  ${shownText(repair)}\n`);
		if (findings.length === 0) terminal.out(`✓ Nothing is wrong with ${examined.join(' and ')}.\n`);
	}
	if (unreachable) return exitCodes.unreachable;
	return findings.length > 0 ? exitCodes.findings : exitCodes.fine;
};
