import type { Clock, InfoSessionManager } from '@holdfast/session-manager';
import {
	callback,
	clock,
	hasMethods,
	type OptionSchemas,
	option,
	path,
	required,
	text,
} from '@holdfast/session-manager/internal';
import { Activity } from './activity.js';
import type { Diagnose } from './data/examination.js';
import type { Authorize, OneTimeToken } from './http/authorization.js';
import type { ConsoleAction, ConsoleConversations, ConsoleTransport } from './pages/view.js';

/** Options of {@link OperatorConsole}. */
export interface OperatorConsoleOptions {
	/** A transport on the store: what operators do happens through it, on every node. Its observers get the audit. */
	readonly transport: ConsoleTransport;
	/** The info manager of that store. */
	readonly info: InfoSessionManager;
	/**
	 * Who may look: a function that says who sends a request, `'loopback'` for programs of this machine that no proxy
	 * stands before, or a token that opens the console once. There is no console without it.
	 */
	readonly authorize: Authorize | 'loopback' | OneTimeToken;
	/**
	 * Conversations of the same persons, a `Conversations` of `@holdfast/conversations`: they are counted, exported and
	 * erased with a person's sessions.
	 * @default absent: conversations are neither exported nor erased, and the pages say so
	 */
	readonly conversations?: ConsoleConversations;
	/**
	 * What happened on the nodes of this process; the same that observes their transports.
	 * @default absent: no events, errors and ends are shown
	 */
	readonly activity?: Activity;
	/**
	 * What operators may do besides looking.
	 * @default []
	 */
	readonly actions?: readonly ConsoleAction[];
	/**
	 * Where it is mounted, as the path of a request says.
	 * @default '/console'
	 */
	readonly path?: string;
	/**
	 * The hosts that requests may name, each as `name` (any port) or `name:port`.
	 * @default ['localhost', '127.0.0.1', '[::1]']
	 */
	readonly allowedHosts?: readonly string[];
	/**
	 * What consoles behind one balancer share, 32 characters or more, so that each takes the forms of the others.
	 * @default random
	 */
	readonly secret?: string | Uint8Array;
	/**
	 * The `WWW-Authenticate` header of the response to whom `authorize` does not know, such as `Basic realm="console"`.
	 * @default absent
	 */
	readonly challenge?: string;
	/**
	 * Looks for what is wrong, such as `diagnose` of `@holdfast/cli`.
	 * @default absent: there is no page for it
	 */
	readonly diagnose?: Diagnose;
	/**
	 * The source of time.
	 * @default the clock of the machine
	 */
	readonly clock?: Clock;
	/**
	 * Called with errors that no page shows.
	 * @default `process.emitWarning`
	 */
	readonly onerror?: (error: Error) => void;
}

/** All that an operator can be allowed to do. */
const consoleActions: readonly ConsoleAction[] = Object.freeze(['suspend', 'end', 'export', 'erase']);

const MIN_SECRET = 32;

export const operatorConsoleSchemas: OptionSchemas<OperatorConsoleOptions> = {
	transport: required('a transport', (value) => hasMethods(value, ['nodes', 'terminate', 'suspend'])),
	info: required('an info manager', (value) => hasMethods(value, ['scan', 'read'])),
	authorize: required(
		"a function, 'loopback' or { oneTimeToken, name } with a token of 32 characters or more",
		(value) => typeof value === 'function' || value === 'loopback' || isOneTimeToken(value),
	),
	conversations: option('a Conversations of @holdfast/conversations', isConversations),
	activity: option('an Activity', (value) => value instanceof Activity),
	actions: option(`a list of ${consoleActions.join(', ')}`, isActions),
	path,
	allowedHosts: option(
		"a list of names, such as ['console.example.com']",
		(value) => Array.isArray(value) && value.every((name) => typeof name === 'string'),
	),
	secret: option('32 characters or bytes, or more', isSecret),
	challenge: text,
	diagnose: callback,
	clock,
	onerror: callback,
};

function isConversations(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return false;
	return hasMethods((value as Partial<ConsoleConversations>).persons, ['count', 'withSessions']);
}

function isSecret(value: unknown): boolean {
	return (typeof value === 'string' || value instanceof Uint8Array) && value.length >= MIN_SECRET;
}

function isOneTimeToken(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return false;
	const { oneTimeToken, name } = value as Partial<OneTimeToken>;
	return typeof oneTimeToken === 'string' && oneTimeToken.length >= MIN_SECRET && typeof name === 'string';
}

function isActions(value: unknown): boolean {
	return Array.isArray(value) && value.every((action) => (consoleActions as readonly unknown[]).includes(action));
}
