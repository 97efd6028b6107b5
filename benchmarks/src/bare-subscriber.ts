/**
 * The other end of bare ioredis: `node bare-subscriber.js <url> <channel>` tells its parent when each message came, in
 * nanoseconds of the machine's monotonic clock, which all processes share.
 */
import { Redis } from 'ioredis';

const [, , url = '', channel = ''] = process.argv;
const subscriber = new Redis(url);
process.once('disconnect', () => process.exit());
subscriber.on('message', () => process.send?.(String(process.hrtime.bigint())));
await subscriber.subscribe(channel);
process.send?.('ready');
