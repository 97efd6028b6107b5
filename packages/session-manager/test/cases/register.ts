import type { InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager';
import { describe, it } from 'vitest';
import type { StreamCaseContext } from './case.ts';
import type { InfoCaseContext } from './info-case.ts';
import { infoCases } from './info-cases.ts';
import { streamCases } from './stream-cases.ts';

/** Registers every stream case as a test of the managers that `createPeers` makes. */
export function describeStreams(
	createPeers: StreamCaseContext['peers'],
	{ oneOrder = true }: { readonly oneOrder?: boolean } = {},
): void {
	describe.each(streamCases)('%s', (_, cases) => {
		it.each(cases.map(({ title, run }) => [title, run] as const))('%s', async (__, run) => {
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

/** Registers every info case as a test of the managers that `createPeers` makes. */
export function describeInfo(createPeers: InfoCaseContext['peers'], { runs }: Pick<InfoCaseContext, 'runs'>): void {
	describe.each(infoCases)('%s', (_, cases) => {
		it.each(cases.map(({ title, run }) => [title, run] as const))('%s', async (__, run) => {
			const made: InfoSessionManager[] = [];
			try {
				await run({
					runs,
					async peers(count) {
						const peers = await createPeers(count);
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
