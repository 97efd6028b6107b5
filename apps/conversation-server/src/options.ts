import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { placeOf } from '@holdfast/session-manager/custom';
import { kindOf } from './share-key.js';

/** What the command line says. */
export interface ServerOptions {
	/** Serves Streamable HTTP on this port; `undefined`: stdio. */
	readonly port: number | undefined;
	readonly host: string;
	/** `memory`, a folder, a file of SQLite, or the URL of PostgreSQL. */
	readonly store: string;
	/** Whose conversations these are where nobody signs in. */
	readonly user: string;
	readonly jwt: { readonly secret: string; readonly issuer: string; readonly audience: string } | undefined;
	readonly allowedHosts: readonly string[];
	/** How long everything is served as before once a signal came, but not ready, in milliseconds. */
	readonly drainDelayMs: number;
	/** Signs share links; `undefined`: the key that is kept with the conversations. */
	readonly shareSecret: string | undefined;
	readonly vocabulary: 'conversation' | 'session';
	/** The conversation to repair instead of serving. */
	readonly repair: string | undefined;
}

const DEFAULT_STORE = join(homedir(), '.holdfast', 'conversations');
const LOOPBACK = ['127.0.0.1', 'localhost', '::1'];

/** The text of `--help`. */
export const USAGE = `Usage: conversation-server [options]
       conversation-server repair ID [--store FOLDER]

Lets an assistant remember conversations. Without --port it speaks MCP over stdio.

  --store S          where conversations are kept: a folder, FILE.db (SQLite), postgres://…, or memory
                     (default ~/.holdfast/conversations)
  --user NAME        whose conversations these are (default: who runs the server)
  --vocabulary V     conversation (create_conversation …) or session (create_session …) (default conversation)
  --share-secret S   signs share links, the same on every server of one store; needed with postgres://…
                     for there to be any
  --port N           serve Streamable HTTP on this port instead; 0 picks a free one
  --host H           address to listen on (default 127.0.0.1)
  --allowed-host H   another name that requests may use for this server; may be repeated
  --drain-delay-ms N  how long a server that is to stop goes on as before, but not ready (default 2000)
  --jwt-secret S     requests must carry a token signed with this secret (HS256); its subject is whose
                     conversations these are. Needed to listen on another address than this machine's own.
  --jwt-issuer I     the issuer of these tokens
  --jwt-audience A   the audience of these tokens: the public URL of this server
  --help             show this
`;

/** The command line is invalid; the message says why in one line. */
export class UsageError extends Error {
	override readonly name = 'UsageError';
}

/** Parses the command line. Returns `'help'` for `--help`. Throws {@link UsageError}. */
export function parseOptions(args: readonly string[]): ServerOptions | 'help' {
	const { values, positionals } = parse(args);
	if (values.help) return 'help';
	const [command, id, ...rest] = positionals;
	if (rest.length > 0 || (command !== undefined && (command !== 'repair' || id === undefined))) {
		throw new UsageError(`"${positionals.join(' ')}" is no command; there is repair ID.`);
	}
	if (values.user === '') throw new UsageError('--user must be a name.');
	if (values.vocabulary !== 'conversation' && values.vocabulary !== 'session') {
		throw new UsageError('--vocabulary must be conversation or session.');
	}
	const jwt = toJwt(values['jwt-secret'], values['jwt-issuer'], values['jwt-audience']);
	if (values.port !== undefined && jwt === undefined && !LOOPBACK.includes(values.host)) {
		throw new UsageError(`--host ${values.host} lets others in: set --jwt-secret, or listen on 127.0.0.1.`);
	}
	return {
		port: toPort(values.port),
		host: values.host,
		store: toStore(values.store),
		user: values.user,
		jwt,
		allowedHosts: values['allowed-host'],
		drainDelayMs: toMilliseconds('--drain-delay-ms', values['drain-delay-ms']),
		shareSecret: toSecret('--share-secret', values['share-secret']),
		vocabulary: values.vocabulary,
		repair: id,
	};
}

function parse(args: readonly string[]) {
	try {
		return parseArgs({
			args: [...args],
			strict: true,
			allowPositionals: true,
			options: {
				store: { type: 'string', default: DEFAULT_STORE },
				user: { type: 'string', default: userInfo().username },
				vocabulary: { type: 'string', default: 'conversation' },
				port: { type: 'string' },
				host: { type: 'string', default: '127.0.0.1' },
				'allowed-host': { type: 'string', multiple: true, default: [] },
				'drain-delay-ms': { type: 'string', default: '2000' },
				'share-secret': { type: 'string' },
				'jwt-secret': { type: 'string' },
				'jwt-issuer': { type: 'string' },
				'jwt-audience': { type: 'string' },
				help: { type: 'boolean', default: false },
			},
		});
	} catch (error) {
		throw new UsageError(error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error));
	}
}

/** A scheme that nobody knows would become a folder of that name. A drive of Windows has one letter. */
function toStore(text: string): string {
	if (text !== '' && (kindOf(text) === 'postgres' || !/^\w[\w+.-]+:/.test(text))) return text;
	throw new UsageError(`--store must be a folder, FILE.db, postgres://… or memory, not '${placeOf(text)}'.`);
}

function toPort(text: string | undefined): number | undefined {
	if (text === undefined) return undefined;
	const port = Number(text);
	if (/^\d+$/.test(text) && port <= 65_535) return port;
	throw new UsageError('--port must be a number from 0 to 65535.');
}

function toMilliseconds(flag: string, text: string): number {
	if (/^\d{1,8}$/.test(text)) return Number(text);
	throw new UsageError(`${flag} must be a number of milliseconds.`);
}

function toSecret(flag: string, secret: string | undefined): string | undefined {
	if (secret === undefined || Buffer.byteLength(secret) >= 32) return secret;
	throw new UsageError(`${flag} must have at least 32 bytes.`);
}

function toJwt(secret?: string, issuer?: string, audience?: string): ServerOptions['jwt'] {
	if (secret === undefined) {
		if (issuer === undefined && audience === undefined) return undefined;
		throw new UsageError('--jwt-issuer and --jwt-audience are for --jwt-secret.');
	}
	toSecret('--jwt-secret', secret);
	if (issuer === undefined || audience === undefined) {
		throw new UsageError('--jwt-secret needs --jwt-issuer and --jwt-audience.');
	}
	return { secret, issuer, audience };
}
