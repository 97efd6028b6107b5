import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { describeContract } from '@holdfast/session-manager-test-kit/vitest';

export function register(): void {
	//#region register
	describeContract({
		abilities: ['streams', 'info', 'history', 'limits', 'oneOrder', 'keepsEnded', 'capacity'],
		createPeers(_count, limits = {}) {
			const streams = new InMemoryStreamSessionManager(limits);
			const info = new InMemoryInfoSessionManager(limits);
			return { peers: [{ streams, info }], close: () => streams.close() };
		},
	});
	//#endregion register
}
