// Proves with the test kit that the managers keep the contracts.
import { after, before } from 'node:test';
import { type Nats, startNats } from '@holdfast/local-cluster';
import { describeContract } from '@holdfast/session-manager-test-kit/node-test';
import { connect } from '@nats-io/transport-node';
import { NatsInfoSessionManager } from './nats-info-session-manager.js';
import { NatsStreamSessionManager } from './nats-stream-session-manager.js';

let nats: Nats;
let backends = 0;
before(async () => {
	// A session may have 10 MiB of state, which are one value here.
	nats = await startNats('max_payload: 64MB');
});
after(() => nats?.close());

describeContract({
	abilities: ['streams', 'info', 'crossNode', 'outages', 'durable'],
	async createPeers(count) {
		const name = `backend-${++backends}`;
		const nodes = Array.from({ length: count }, () => connect({ servers: nats.url, maxReconnectAttempts: -1 }));
		const connections = await Promise.all(nodes);
		const peers = connections.map((connection) => ({
			streams: new NatsStreamSessionManager(connection, name),
			info: new NatsInfoSessionManager(connection, name),
		}));
		return {
			peers,
			backend: {
				fail: () => nats.stop(),
				heal: () => nats.start(),
				restart: () => nats.stop().then(() => nats.start()),
			},
			async close() {
				for (const { streams, info } of peers) await Promise.all([streams.close(), info.close()]);
				await Promise.all(connections.map((connection) => connection.close()));
			},
		};
	},
});
