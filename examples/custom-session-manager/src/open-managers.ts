import { jetstreamManager } from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import { NatsInfoSessionManager } from './nats-info-session-manager.js';
import { NatsStreamSessionManager } from './nats-stream-session-manager.js';

/** How long events wait, and an unused session is kept whatever its record says, in milliseconds. */
const MAX_AGE_MS = { streams: 10 * 60_000, sessions: 90 * 24 * 60 * 60_000 };

/** Opens the managers of one node. Nodes with the same `name` share their data. The caller closes the connection. */
export async function openManagers(nats: NatsConnection, name: string) {
	const jsm = await jetstreamManager(nats, { timeout: 2_000 });
	for (const [kind, ms] of Object.entries(MAX_AGE_MS)) {
		const stream = `${name}-${kind}`;
		const config = { name: stream, subjects: [`${stream}.*`], max_msgs_per_subject: 1, max_age: nanos(ms) };
		// When several nodes add the stream at the same time, all but one may be refused.
		await jsm.streams.add(config).catch(() => jsm.streams.info(stream));
	}
	return {
		streams: new NatsStreamSessionManager(nats, jsm, `${name}-streams`),
		info: new NatsInfoSessionManager(jsm, `${name}-sessions`),
	};
}
