/**
 * Returns the command that runs Node.js with `args` as somebody whom the mode of a file binds: nothing is read-only to
 * root. Another user would do, too, but may not read the program where the project is in a folder of root's.
 */
export function notAboveFiles(args: readonly string[]): readonly [command: string, args: readonly string[]] {
	if (process.getuid?.() !== 0) return [process.execPath, args];
	const without = ['--bounding-set', '-dac_override,-dac_read_search', '--inh-caps', '-all'];
	return ['setpriv', [...without, process.execPath, ...args]];
}
