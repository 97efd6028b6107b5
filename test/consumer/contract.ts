import assert from 'node:assert/strict';
import { type ManagerFactory, runContract } from '@holdfast/session-manager-test-kit';
import { MapInfoSessionManager } from './map-info-session-manager.js';
import { MapStreamSessionManager } from './map-stream-session-manager.js';

const factory: ManagerFactory = {
	abilities: ['streams', 'info', 'oneOrder'],
	createPeers: () => ({
		peers: [{ streams: new MapStreamSessionManager(), info: new MapInfoSessionManager() }],
		close() {},
	}),
};

/** Throws where the managers break a promise of the contracts; answers how many they keep. */
export async function proveContract(): Promise<number> {
	const results = await runContract(factory);
	assert.deepEqual(
		results.filter(({ outcome }) => outcome === 'broken'),
		[],
	);
	return results.filter(({ outcome }) => outcome === 'kept').length;
}
