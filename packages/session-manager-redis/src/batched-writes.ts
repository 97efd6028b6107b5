import type { Writable } from 'node:stream';
import { TurnWrites } from '@holdfast/session-manager/internal';
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
	const turn = new TurnWrites(() => [stream]);
	stream.write = (...args: unknown[]) => {
		turn.add();
		return write.apply(stream, args);
	};
}
