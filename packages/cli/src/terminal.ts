/** Where a command writes and reads its surroundings. */
export interface Terminal {
	/** Writes to standard output: what was asked for, and with `--json` nothing but JSON. */
	out(text: string): void;
	/** Writes to standard error: everything else. */
	note(text: string): void;
	readonly env: Readonly<Record<string, string | undefined>>;
	/** Where a relative path begins, and where the configuration file is. */
	readonly folder: string;
	/** Resolves when the user asks to stop. Once it is called, that ends the command and not the process. */
	interrupted(): Promise<unknown>;
}

/** Writes a JSON document to standard output. */
export function writeJson(terminal: Terminal, value: unknown): void {
	terminal.out(`${JSON.stringify(value, undefined, '\t')}\n`);
}

/** Writes rows in columns, under their headings. */
export function writeTable(
	terminal: Terminal,
	headings: readonly string[],
	rows: readonly (readonly string[])[],
): void {
	const cells = [headings, ...rows].map((row) => row.map(shownText));
	const widths = headings.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
	for (const row of cells) {
		const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
		terminal.out(`${line.trimEnd()}\n`);
	}
}

/** Writes one value with its name; nothing for one that is absent. */
export function writeField(terminal: Terminal, name: string, value: unknown): void {
	if (value === undefined) return;
	terminal.out(`${name}: ${shownText(typeof value === 'object' ? JSON.stringify(value) : String(value))}\n`);
}

/** Returns text that clients chose without what a terminal would carry out, such as escape sequences. */
export function shownText(text: string): string {
	return text.replaceAll(/\p{C}/gu, '�');
}

/** Returns how long ago `time` was, at `now`; both in milliseconds since the Unix epoch. */
export function ageOf(time: number, now: number): string {
	const seconds = Math.max(0, Math.round((now - time) / 1_000));
	if (seconds < 120) return `${seconds} s`;
	if (seconds < 2 * 3_600) return `${Math.floor(seconds / 60)} min`;
	if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3_600)} h`;
	return `${Math.floor(seconds / 86_400)} d`;
}

/** Returns a date as text; `undefined` for none. */
export function dateOf(time: number | undefined): string | undefined {
	return time === undefined ? undefined : new Date(time).toISOString();
}
