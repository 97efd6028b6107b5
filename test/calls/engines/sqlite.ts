import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFile } from '../../support/locked-file.ts';
import { drainNode, type FaultKind, fault, hangNode } from '../faults.ts';
import { type Engine, history } from './engine.ts';

/** Three nodes on one file. */
export const sqlite: Engine = async (makeNode) => {
	const folder = mkdtempSync(join(tmpdir(), 'calls-'));
	const file = join(folder, 'sessions.db');
	const nodes = [1, 2, 3].map(() =>
		makeNode({
			module: '@holdfast/session-manager-sqlite',
			streams: { name: 'SqliteStreamSessionManager', arguments: [file, { history }] },
			info: { name: 'SqliteInfoSessionManager', arguments: [file] },
		}),
	);
	await Promise.all(nodes.map((node) => node.start()));
	const killNode: FaultKind[1] = (random) => {
		const node = random.pick(nodes);
		const pauseMs = random.int(0, 300);
		return fault('kill a node', async () => {
			await node.kill();
			await sleep(pauseMs);
			await node.start();
		});
	};
	/** Somebody has the file for themselves, as a backup tool that does not know better. */
	const lockIt: FaultKind[1] = (random) => {
		const forMs = random.int(50, 1_200);
		return fault(`lock the file for ${forMs} ms`, () => lockFile(file, forMs));
	};
	return {
		nodes,
		faults: (long) => [
			[5, killNode],
			[3, lockIt],
			[1.5, drainNode(nodes)],
			[1, hangNode(nodes, long)],
		],
		async [Symbol.asyncDispose]() {
			await Promise.all(nodes.map((node) => node.kill()));
			rmSync(folder, { recursive: true, force: true });
		},
	};
};
