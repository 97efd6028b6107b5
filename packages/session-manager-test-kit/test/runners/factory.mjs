// What the programs of this folder run the contracts on, by the word in MANAGERS. They run what was built.
import { InMemoryInfoSessionManager } from '@holdfast/session-manager';

class NotDeleting extends InMemoryInfoSessionManager {
	delete(id) {
		return this.read(id) !== undefined;
	}
}

const shared = new InMemoryInfoSessionManager();

/** A healthy manager, one with a defect, and one that all that call share. */
const managers = {
	healthy: () => new InMemoryInfoSessionManager(),
	broken: () => new NotDeleting(),
	shared: () => shared,
};

/** @type {import('@holdfast/session-manager-test-kit').ManagerFactory} */
export const factory = {
	abilities: ['info', 'keepsEnded'],
	createPeers() {
		const info = managers[process.env.MANAGERS]();
		return { peers: [{ info }], close() {} };
	},
};
