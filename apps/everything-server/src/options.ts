import { parseArgs } from 'node:util';
import type { ResponseMode } from '@holdfast/transport-http';

/** Which official SDK the server is made with. */
export type SdkVersion = 'v1' | 'v2';

/** What the command line asks for. */
export interface ServerOptions {
	/** 0 picks a free one. */
	readonly port: number;
	readonly host: string;
	/** Where sessions are kept; see `openStore`. */
	readonly store: string;
	readonly sdk: SdkVersion;
	/** Hosts that requests may name, beside those of the local machine and `host`. */
	readonly allowedHosts: readonly string[];
	readonly responseMode: ResponseMode;
	/** How often idle streams get a comment, in milliseconds; 0: never. */
	readonly keepAliveMs: number;
}

/** What to show somebody who asks with `--help`. */
export const USAGE = `Usage: everything-server [options]

  --port N            port to listen on; 0 picks a free one (default 3000)
  --host H            address to listen on (default 127.0.0.1)
  --store S           where sessions are kept: memory, or redis://host:port (default memory)
  --sdk V             official SDK that the server is made with: v1 or v2 (default v1)
  --allowed-host H    a further name that requests may use for this server; may be given several times
  --response-mode M   how requests are answered: auto, json or sse (default auto)
  --keep-alive-ms N   how often idle streams get a comment; 0: never (default 15000)
  --help              show this
`;

/** The command line cannot be obeyed; the message says why in one line. */
export class UsageError extends Error {
	override readonly name = 'UsageError';
}

/** Reads the command line; `'help'` when that is what it asks for. Throws {@link UsageError}. */
export function parseOptions(args: readonly string[]): ServerOptions | 'help' {
	const { values } = parse(args);
	if (values.help) return 'help';
	return {
		port: toPort(values.port),
		host: toHost(values.host),
		store: toStore(values.store),
		sdk: oneOf('--sdk', ['v1', 'v2'], values.sdk),
		allowedHosts: values['allowed-host'],
		responseMode: oneOf('--response-mode', ['auto', 'json', 'sse'], values['response-mode']),
		keepAliveMs: toMilliseconds('--keep-alive-ms', values['keep-alive-ms']),
	};
}

function parse(args: readonly string[]) {
	try {
		return parseArgs({
			args: [...args],
			strict: true,
			allowPositionals: false,
			options: {
				port: { type: 'string', default: '3000' },
				host: { type: 'string', default: '127.0.0.1' },
				store: { type: 'string', default: 'memory' },
				sdk: { type: 'string', default: 'v1' },
				'allowed-host': { type: 'string', multiple: true, default: [] },
				'response-mode': { type: 'string', default: 'auto' },
				'keep-alive-ms': { type: 'string', default: '15000' },
				help: { type: 'boolean', default: false },
			},
		});
	} catch (error) {
		const [line = ''] = (error as Error).message.split('\n');
		throw new UsageError(line.endsWith('.') ? line : `${line}.`);
	}
}

function toPort(text: string): number {
	const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
	if (!(port <= 65_535)) throw new UsageError(`--port takes a number from 0 to 65535, not '${text}'.`);
	return port;
}

function toMilliseconds(flag: string, text: string): number {
	if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${flag} takes a number of milliseconds, not '${text}'.`);
	return Number(text);
}

function toStore(text: string): string {
	if (text === 'memory' || (/^rediss?:$/.test(text.slice(0, text.indexOf(':') + 1)) && URL.canParse(text))) return text;
	throw new UsageError(`--store takes memory or redis://host:port, not '${text}'.`);
}

function toHost(text: string): string {
	if (text === '') throw new UsageError('--host takes an address or a name, such as 127.0.0.1.');
	return text;
}

function oneOf<Choice extends string>(flag: string, choices: readonly Choice[], text: string): Choice {
	const choice = choices.find((candidate) => candidate === text);
	if (choice === undefined) throw new UsageError(`${flag} takes ${choices.join(' or ')}, not '${text}'.`);
	return choice;
}
