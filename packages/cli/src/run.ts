import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { SessionManagerError } from '@holdfast/session-manager';
import type { Command } from './command.js';
import { exitCodes, UnreachableError, UsageError } from './exit.js';
import { HELP } from './help.js';
import { readSettings, settingFlags } from './settings.js';
import { reasonOf } from './store/open-store.js';
import { shownText, type Terminal } from './terminal.js';

/** The modules of the commands: each is loaded only when it is called. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
	doctor: async () => (await import('./commands/doctor.js')).doctor,
	'sessions list': async () => (await import('./commands/sessions.js')).listSessions,
	'sessions show': async () => (await import('./commands/sessions.js')).showSession,
	'sessions end': async () => (await import('./commands/sessions.js')).endSession,
	'sessions suspend': async () => (await import('./commands/sessions.js')).suspendSession,
	'people export': async () => (await import('./commands/people.js')).exportPerson,
	'people erase': async () => (await import('./commands/people.js')).erasePerson,
	nodes: async () => (await import('./commands/nodes.js')).listNodes,
	console: async () => (await import('./commands/console.js')).openConsole,
	'conversations list': async () => (await import('./commands/conversations.js')).listConversations,
	'conversations show': async () => (await import('./commands/conversations.js')).showConversation,
	'conversations export': async () => (await import('./commands/conversations.js')).exportConversation,
	migrate: async () => (await import('./commands/migrate.js')).migrate,
};

const options = {
	...settingFlags,
	config: { type: 'string' },
	json: { type: 'boolean' },
	help: { type: 'boolean', short: 'h' },
	version: { type: 'boolean' },
	principal: { type: 'string' },
	status: { type: 'string' },
	limit: { type: 'string' },
	by: { type: 'string' },
	reason: { type: 'string' },
	yes: { type: 'boolean' },
	print: { type: 'boolean' },
	markdown: { type: 'boolean' },
	actions: { type: 'string' },
	port: { type: 'string' },
} as const;

/** Runs one command line. Resolves with the exit code; never rejects. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
	try {
		const { values, positionals } = parsed(argv);
		if (values['version'] === true) return say(terminal, `${versionOf()}\n`);
		if (values['help'] === true) return say(terminal, HELP);
		const [command, rest] = commandOf(positionals);
		const settings = readSettings(values, terminal);
		return await (await command())({ terminal, settings, flags: values, arguments: rest, now: Date.now() });
	} catch (error) {
		return explain(error, terminal);
	}
}

function say(terminal: Terminal, text: string): number {
	terminal.out(text);
	return exitCodes.fine;
}

function parsed(argv: readonly string[]) {
	try {
		const { values, positionals } = parseArgs({ args: withName(argv), options, allowPositionals: true });
		return { values: values as Readonly<Record<string, string | boolean | undefined>>, positionals };
	} catch (error) {
		throw new UsageError((error as Error).message);
	}
}

/** An id may begin with a dash. What follows a command that takes a name is one, unless it is a flag of ours. */
function withName(argv: readonly string[]): string[] {
	const [group, verb, name, ...rest] = argv;
	const isName = name?.startsWith('-') === true && verb !== 'list' && Object.hasOwn(commands, `${group} ${verb}`);
	if (group === undefined || verb === undefined || name === undefined || !isName) return [...argv];
	const [flag = ''] = name.slice(2).split('=');
	const isFlag = name === '--' || name === '-h' || (name.startsWith('--') && Object.hasOwn(options, flag));
	return isFlag ? [...argv] : [group, verb, ...rest, '--', name];
}

function commandOf(words: readonly string[]): [() => Promise<Command>, readonly string[]] {
	for (const length of [2, 1]) {
		const command = commands[words.slice(0, length).join(' ')];
		if (command !== undefined && words.length >= length) return [command, words.slice(length)];
	}
	const known = Object.keys(commands).join(', ');
	throw new UsageError(
		words.length === 0 ? `Name a command: ${known}.` : `There is no command "${words.join(' ')}"; there are: ${known}.`,
	);
}

function explain(error: unknown, terminal: Terminal): number {
	const say = (text: string) => terminal.note(`holdfast: ${shownText(text)}\n`);
	if (error instanceof UsageError || error instanceof TypeError) {
		say(`${error.message} See holdfast --help.`);
		return exitCodes.usage;
	}
	say(reasonOf(error));
	const isAway =
		error instanceof UnreachableError ||
		error instanceof SessionManagerError ||
		// A store of conversations.
		(error as { readonly code?: unknown }).code === 'unavailable';
	return isAway ? exitCodes.unreachable : exitCodes.findings;
}

function versionOf(): string {
	const manifest = createRequire(import.meta.url)('../package.json') as { readonly version: string };
	return manifest.version;
}
