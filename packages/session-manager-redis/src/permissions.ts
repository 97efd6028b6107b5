import { SessionManagerError } from '@holdfast/session-manager/custom';
import type { Cluster, Redis } from 'ioredis';

/** Every command that this package sends or its scripts call, with the arguments after the key that make it valid. */
const onKey: Readonly<Record<string, readonly string[]>> = {
	get: [],
	hdel: ['f'],
	hexists: ['f'],
	hget: ['f'],
	hgetall: [],
	hincrby: ['f', '1'],
	hkeys: [],
	hlen: [],
	hmget: ['f'],
	hscan: ['0'],
	hset: ['f', 'v'],
	hstrlen: ['f'],
	hvals: [],
	pexpire: ['1'],
	pttl: [],
	set: ['v'],
	xadd: ['*', 'f', 'v'],
	xdel: ['1-1'],
	xlen: [],
	xrange: ['-', '+'],
	zadd: ['1', 'm'],
	zcard: [],
	zcount: ['0', '0'],
	zrange: ['0', '0'],
	zrangebyscore: ['0', '0'],
	zrem: ['m'],
	zscan: ['0'],
	unlink: [],
	// Last, so that nothing stays where the user may not run MULTI, and all of this is carried out.
	del: [],
};

/** Returns the names of the commands that {@link lackingOf} tries. */
export const triedCommands: readonly string[] = Object.freeze([
	...['info', 'time', 'eval', 'evalsha', 'spublish', 'pubsub'],
	...Object.keys(onKey),
]);

/**
 * Returns the commands that the user of `client` may not run on `key`, and on channels named like it. Redis says so
 * when a command is queued in a transaction, and the transaction is discarded: nothing is carried out.
 */
export async function lackingOf(client: Redis | Cluster, key: string): Promise<string[]> {
	const pipeline = client.pipeline();
	pipeline.call('multi');
	pipeline.call('info', 'memory');
	pipeline.call('time');
	pipeline.call('eval', 'return 1', '1', key);
	pipeline.call('evalsha', '0'.repeat(40), '1', key);
	pipeline.call('spublish', key, '');
	pipeline.call('pubsub', 'shardnumsub');
	for (const [name, args] of Object.entries(onKey)) pipeline.call(name, key, ...args);
	pipeline.call('discard');
	const replies = (await pipeline.exec()) ?? [];
	const [started, ...queued] = replies.map(([error]) => error?.message.startsWith('NOPERM') === true);
	return started === true ? [] : triedCommands.filter((_, index) => queued[index] === true);
}

/** By its message: an error that many commands fail with is one error, so it is reported once. */
const refusals = new Map<string, SessionManagerError>();

/** Returns the error of every command while its user lacks a permission. */
export function refusalOf(address: string, lacking: readonly string[]): SessionManagerError {
	const message =
		`The user of ${address} may not run commands that this package needs: ${lacking.join(', ')}. ` +
		'Allow them and its keys and channels, for example with ACL SETUSER.';
	const refusal = refusals.get(message) ?? new SessionManagerError('unavailable', message);
	refusals.set(message, refusal);
	return refusal;
}
