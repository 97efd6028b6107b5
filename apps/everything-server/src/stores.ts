import {
	InMemoryInfoSessionManager,
	InMemoryStreamSessionManager,
	type InfoSessionManager,
	type StreamSessionManager,
} from '@holdfast/session-manager';

/** The pair of managers that a store's name or URL stands for, and how to let go of them. */
export interface Store {
	readonly streams: StreamSessionManager;
	readonly info: InfoSessionManager;
	close(): Promise<void>;
}

/** Opens what `--store` names: `memory`. */
export function openStore(_name: string): Store {
	const streams = new InMemoryStreamSessionManager();
	const info = new InMemoryInfoSessionManager();
	return {
		streams,
		info,
		async close() {
			await streams.close();
			await info.close();
		},
	};
}
