import type { Writable } from 'node:stream';

/**
 * Lets the commands that a client writes to `stream` in one turn leave together. It writes each on its own, and a
 * system call costs more than all the rest of a command.
 */
export function batchWrites(stream: Writable): void {
	const write = stream.write as (...args: unknown[]) => boolean;
	let isCorked = false;
	const uncork = () => {
		isCorked = false;
		stream.uncork();
	};
	stream.write = (...args: unknown[]) => {
		if (!isCorked) {
			isCorked = true;
			stream.cork();
			process.nextTick(uncork);
		}
		return write.apply(stream, args);
	};
}
