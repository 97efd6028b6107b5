import { hangNode } from '../faults.ts';
import { type Engine, history } from './engine.ts';

/** One node, whose sessions end with it: it may hang, but neither die nor leave. */
export const memory: Engine = async (makeNode) => {
	const node = makeNode({
		module: '@holdfast/session-manager',
		streams: { name: 'InMemoryStreamSessionManager', arguments: [{ history }] },
		info: { name: 'InMemoryInfoSessionManager', arguments: [{}] },
	});
	await node.start();
	return {
		nodes: [node],
		faults: (long) => [[1, hangNode([node], long)]],
		[Symbol.asyncDispose]: () => node.kill(),
	};
};
