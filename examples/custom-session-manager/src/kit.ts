// Tests with the test kit that the managers keep the contracts, and that they are as short as the README says.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, it } from 'node:test';
import { type Nats, startNats } from '@holdfast/local-cluster';
import { describeContract } from '@holdfast/session-manager-test-kit/node-test';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { openManagers } from './open-managers.js';

let nats: Nats;
let backends = 0;
const opened: NatsConnection[] = [];
before(async () => {
	// A session may have 10 MiB of state, which is one value here.
	nats = await startNats('max_payload: 64MB');
});
after(async () => {
	// Includes connections that a failed factory left open: they would reconnect forever.
	await Promise.all(opened.map((connection) => connection.close()));
	await nats?.close();
});

describeContract({
	abilities: ['streams', 'info', 'crossNode', 'outages', 'durable'],
	async createPeers(count) {
		const name = `backend-${++backends}`;
		const nodes = Array.from({ length: count }, () => connect({ servers: nats.url, maxReconnectAttempts: -1 }));
		const connections = await Promise.all(nodes);
		opened.push(...connections);
		const peers = await Promise.all(connections.map((connection) => openManagers(connection, name)));
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

it('both managers together are under 250 lines', () => {
	const source = new URL('../src/', import.meta.url);
	const files = readdirSync(source).filter((file) => file.startsWith('nats-'));
	const lines = files.flatMap((file) => readFileSync(new URL(file, source), 'utf8').trimEnd().split('\n'));
	assert.equal(files.length, 3);
	assert.ok(lines.length < 250, `${lines.length}`);
});
