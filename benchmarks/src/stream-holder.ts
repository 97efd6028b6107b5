/**
 * Holds a stream with nothing behind it. `node stream-holder.js <store> <stream id>` reports that it is ready, and then
 * reports to its parent when each event arrived, in nanoseconds of the machine's monotonic clock, which all processes
 * share.
 */
import { type StoreName, streamsOn } from './servers/managers.js';

const [, , store = '', id = ''] = process.argv;
process.once('disconnect', () => process.exit());
const streams = await streamsOn(store as StoreName);
await streams.create(id, {
	desiredSize: 1,
	enqueue: () => process.send?.(String(process.hrtime.bigint())),
	close() {},
});
process.send?.('holds');
