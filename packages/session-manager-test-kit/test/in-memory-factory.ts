import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import type { Ability, ManagerFactory, Peer, PeerLimits } from '@holdfast/session-manager-test-kit';

/** What the managers of one process can do. */
const inMemoryAbilities: readonly Ability[] = [
	...(['streams', 'info', 'keepsEnded', 'capacity', 'makesRoom', 'registry', 'kinds'] as const),
	...(['history', 'limits', 'oneOrder'] as const),
];

/** The in-memory managers; `make` puts others in their place. */
export function inMemory(
	make = (limits?: PeerLimits): Peer => ({
		streams: new InMemoryStreamSessionManager(limits),
		info: new InMemoryInfoSessionManager(limits),
	}),
	abilities = inMemoryAbilities,
): ManagerFactory {
	return {
		abilities,
		createPeers(_count, limits) {
			const peer = make(limits);
			return {
				peers: [peer],
				async close() {
					await peer.streams?.close();
					await peer.info?.close();
				},
			};
		},
	};
}
