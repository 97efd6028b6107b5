import { tmpdir } from 'node:os';
import { run } from '../../src/run.ts';

/** What a command line did. */
export interface Outcome {
	readonly code: number;
	readonly out: string;
	readonly note: string;
}

/** Runs a command line as a shell would, in this process. */
export async function holdfast(
	args: readonly string[],
	surroundings: { readonly env?: Record<string, string>; readonly folder?: string } = {},
): Promise<Outcome> {
	let [out, note] = ['', ''];
	const code = await run(args, {
		out: (text) => {
			out += text;
		},
		note: (text) => {
			note += text;
		},
		env: surroundings.env ?? {},
		folder: surroundings.folder ?? tmpdir(),
	});
	return { code, out, note };
}
