import { readFileSync } from 'node:fs';

/** What a machine keeps for the rest of the two processes that hold streams. */
const SPARE = 500;
/** The memory that a stream takes in the server, in its client and in the kernel, in bytes, at most. */
const BYTES = 60 * 1_024;

/** Says why this machine cannot hold `count` open streams of one server, or returns `undefined` when it can. */
export function noRoomFor(count: number): string | undefined {
	const files = Number(/^Max open files\s+(\d+)/m.exec(textOf('/proc/self/limits'))?.[1] ?? Number.POSITIVE_INFINITY);
	if (count + SPARE > files) return `over the limit of ${files} open files`;
	const [from, to] = textOf('/proc/sys/net/ipv4/ip_local_port_range').trim().split(/\s+/).map(Number);
	const ports = from === undefined || to === undefined ? Number.POSITIVE_INFINITY : to - from + 1;
	if (count + SPARE > ports) return `over the ${ports} local ports`;
	return count * BYTES > process.availableMemory() ? 'over the free memory' : undefined;
}

function textOf(file: string): string {
	try {
		return readFileSync(file, 'utf8');
	} catch {
		return '';
	}
}
