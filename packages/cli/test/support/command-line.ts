import { tmpdir } from 'node:os';
import { run } from '../../src/run.ts';
import type { Terminal } from '../../src/terminal.ts';

/** What a command line did. */
export interface Outcome {
	readonly code: number;
	readonly out: string;
	readonly note: string;
}

/** Runs a command line as a shell would, in this process. */
export async function holdfast(
	args: readonly string[],
	surroundings: Partial<Pick<Terminal, 'env' | 'folder' | 'out' | 'interrupted'>> = {},
): Promise<Outcome> {
	let [out, note] = ['', ''];
	const code = await run(args, {
		out: (text) => {
			out += text;
			surroundings.out?.(text);
		},
		note: (text) => {
			note += text;
		},
		env: surroundings.env ?? {},
		folder: surroundings.folder ?? tmpdir(),
		interrupted: surroundings.interrupted ?? (() => Promise.resolve()),
	});
	return { code, out, note };
}
