import type { StreamSessionManager } from '@holdfast/session-manager';
import { describe, it } from 'vitest';
import type { StreamCaseContext } from './case.ts';
import { streamCases } from './stream-cases.ts';

/** Registers every stream case as a test of the managers that `createPeers` makes. */
export function describeStreams(
	createPeers: StreamCaseContext['peers'],
	{ oneOrder = true }: { readonly oneOrder?: boolean } = {},
): void {
	describe.each(streamCases)('%s', (_, cases) => {
		it.each(cases)('$title', async ({ run }) => {
			const made: StreamSessionManager[] = [];
			try {
				await run({
					oneOrder,
					async peers(count, options) {
						const peers = await createPeers(count, options);
						made.push(...peers);
						return peers;
					},
				});
			} finally {
				await Promise.all(made.map((manager) => manager.close()));
			}
		});
	});
}
