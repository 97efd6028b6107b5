import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { SessionManagerError } from '@holdfast/session-manager';
import type { Command } from './command.js';
import { exitCodes, UnreachableError, UsageError } from './exit.js';
import { HELP } from './help.js';
import { flagOf, readSettings, type Settings, settingFlags } from './settings.js';
import { reasonOf } from './store/open-store.js';
import { shownText, type Terminal } from './terminal.js';

interface Entry {
	/** Its module is loaded only when it is called. */
	readonly load: () => Promise<Command>;
	/** The settings that it uses. */
	readonly settings: readonly (keyof Settings)[];
	/** The other flags that are for it, besides {@link everywhere}. */
	readonly flags?: readonly (keyof typeof ofCommands)[];
}

/** What a command needs to find the store. */
const store = ['store', 'schema', 'listenUrl', 'keyPrefix'] as const;
/** And conversations. */
const conversations = ['conversations', 'schema'] as const;
const doctor = [...store, 'url', 'token', 'maxSessions', 'watchMs'] as const;

const commands: Readonly<Record<string, Entry>> = {
	doctor: { load: async () => (await import('./commands/doctor.js')).doctor, settings: doctor },
	'sessions list': {
		load: async () => (await import('./commands/sessions.js')).listSessions,
		settings: store,
		flags: ['principal', 'status', 'limit'],
	},
	'sessions show': { load: async () => (await import('./commands/sessions.js')).showSession, settings: store },
	'sessions end': {
		load: async () => (await import('./commands/sessions.js')).endSession,
		settings: [...store, 'auditLog'],
		flags: ['by', 'reason'],
	},
	'sessions suspend': {
		load: async () => (await import('./commands/sessions.js')).suspendSession,
		settings: [...store, 'auditLog'],
		flags: ['by', 'reason'],
	},
	'people export': {
		load: async () => (await import('./commands/people.js')).exportPerson,
		settings: [...store, ...conversations, 'auditLog'],
		flags: ['by', 'reason'],
	},
	'people erase': {
		load: async () => (await import('./commands/people.js')).erasePerson,
		settings: [...store, ...conversations, 'auditLog'],
		flags: ['by', 'reason', 'yes'],
	},
	nodes: { load: async () => (await import('./commands/nodes.js')).listNodes, settings: store },
	console: {
		load: async () => (await import('./commands/console.js')).openConsole,
		settings: [...doctor, ...conversations, 'auditLog'],
		flags: ['by', 'actions', 'port'],
	},
	'conversations list': {
		load: async () => (await import('./commands/conversations.js')).listConversations,
		settings: conversations,
		flags: ['principal', 'status', 'limit'],
	},
	'conversations show': {
		load: async () => (await import('./commands/conversations.js')).showConversation,
		settings: conversations,
	},
	'conversations export': {
		load: async () => (await import('./commands/conversations.js')).exportConversation,
		settings: [...conversations, 'auditLog'],
		flags: ['by', 'reason', 'markdown'],
	},
	'conversations repair': {
		load: async () => (await import('./commands/conversations.js')).repairConversation,
		settings: conversations,
	},
	'conversations erase': {
		load: async () => (await import('./commands/conversations.js')).eraseConversation,
		settings: [...conversations, 'auditLog'],
		flags: ['by', 'reason', 'yes'],
	},
	migrate: {
		load: async () => (await import('./commands/migrate.js')).migrate,
		settings: store,
		flags: ['print'],
	},
};

const everywhere = {
	config: { type: 'string' },
	json: { type: 'boolean' },
	help: { type: 'boolean', short: 'h' },
	version: { type: 'boolean' },
} as const;
const ofCommands = {
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
const options = { ...settingFlags, ...everywhere, ...ofCommands };

/** Runs one command line. Resolves with the exit code; never rejects. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
	try {
		const { values, positionals } = parsed(argv);
		if (values['version'] === true) return say(terminal, `${versionOf()}\n`);
		if (values['help'] === true) return say(terminal, HELP);
		const [command, rest] = commandOf(positionals, values);
		const settings = readSettings(values, terminal);
		return await (await command.load())({ terminal, settings, flags: values, arguments: rest, now: Date.now() });
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

function commandOf(words: readonly string[], given: Readonly<Record<string, unknown>>): [Entry, readonly string[]] {
	for (const length of [2, 1]) {
		const name = words.slice(0, length).join(' ');
		const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
		if (command === undefined || words.length < length) continue;
		const { flags = [], settings } = command;
		const taken: readonly string[] = [...Object.keys(everywhere), ...flags, ...settings.map(flagOf)];
		const foreign = Object.keys(given).find((flag) => !taken.includes(flag));
		if (foreign !== undefined) throw new UsageError(`--${foreign} is not for ${name}.`);
		return [command, words.slice(length)];
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
