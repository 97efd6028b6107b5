import { appendFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { AuditNote, ObservedEvent, Observer } from '@holdfast/transport';
import type { Call } from './command.js';
import { exitCodes, UsageError } from './exit.js';
import { shortHash } from './short-hash.js';
import { dateOf, type Terminal } from './terminal.js';

/** Returns who asks and why, for the audit: what the flags say, or else the user of this process. */
export function noteOf({ flags }: Call): AuditNote & { readonly by: string } {
	const { by = userName(), reason } = flags;
	return { by: String(by), ...(reason !== undefined && { reason: String(reason) }) };
}

/** Writes each thing that an operator does as one line of JSON: who, what, when and why. */
export class Auditor implements Observer {
	readonly #write: (line: string) => void;
	readonly #terminal: Terminal;
	#hasGap = false;

	/** Throws {@link UsageError} where the audit log cannot be written. */
	constructor({ settings: { auditLog }, terminal }: Call) {
		this.#terminal = terminal;
		this.#write = auditLog === undefined ? terminal.note : appendTo(resolve(terminal.folder, auditLog));
	}

	/** Whether the audit log lacks a line, which went to standard error instead. Nothing more may be done then. */
	get hasGap(): boolean {
		return this.#hasGap;
	}

	/** What a command that did something exits with. */
	get exitCode(): number {
		return this.#hasGap ? exitCodes.findings : exitCodes.fine;
	}

	event(event: ObservedEvent): void {
		if (event.type !== 'audit') return;
		const line = `${JSON.stringify(lineOf(event))}\n`;
		try {
			this.#write(line);
		} catch (error) {
			this.#hasGap = true;
			const { message } = error as Error;
			this.#terminal.note(`${line}holdfast: The audit log lacks this line, it cannot be written: ${message}\n`);
		}
	}
}

/** Nothing may be done that could not be written down, so the file is tried first. */
function appendTo(path: string): (line: string) => void {
	const append = (line: string) => appendFileSync(path, line, { mode: 0o600 });
	try {
		append('');
	} catch (error) {
		throw new UsageError(`The audit log cannot be written: ${(error as Error).message}`);
	}
	return append;
}

/** Whoever reads the audit must not be able to use the session. */
function lineOf({ type: _, at, sessionId, ...rest }: Extract<ObservedEvent, { readonly type: 'audit' }>): object {
	return { at: dateOf(at), ...rest, ...(sessionId !== undefined && { session: shortHash(sessionId) }) };
}

function userName(): string {
	try {
		return userInfo().username;
	} catch {
		// A container may run as a user that has no name.
		return String(process.getuid?.() ?? 'unknown');
	}
}
