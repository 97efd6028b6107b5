import type { Writable } from 'node:stream';
import type { Cluster, Redis } from 'ioredis';
import { isCluster } from './source.js';

/**
 * Lets the commands that a client sends in one turn leave together. It writes each on its own, and a system call costs
 * more than all the rest of a command.
 */
export function batchWrites(client: Redis | Cluster): void {
	if (isCluster(client)) client.on('+node', (node: Redis) => batchWritesOf(node));
	else batchWritesOf(client);
}

function batchWritesOf(client: Redis): void {
	// Each connection has a stream of its own.
	client.on('connect', () => corkTurns(client.stream));
}

function corkTurns(stream: Writable): void {
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
