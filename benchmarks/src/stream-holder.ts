/**
 * Holds a stream on Redis with nothing behind it. `node stream-holder.js <url> <stream id>` reports that it is ready,
 * and then reports to its parent when each event arrived, in nanoseconds of the machine's monotonic clock, which all
 * processes share.
 */
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';

const [, , url = '', id = ''] = process.argv;
process.once('disconnect', () => process.exit());
const streams = new RedisStreamSessionManager(url);
await streams.create(id, {
	desiredSize: 1,
	enqueue: () => process.send?.(String(process.hrtime.bigint())),
	close() {},
});
process.send?.('holds');
