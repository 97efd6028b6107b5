import type { Target } from './cluster.ts';

/** The status of a node's `/readyz`. */
export function readiness(node: Target): Promise<number> {
	return statusOf(node, '/readyz');
}

/** The status of a node's `/healthz`. */
export function health(node: Target): Promise<number> {
	return statusOf(node, '/healthz');
}

/** The id that a node gave itself when it started. */
export async function nodeIdOf({ port }: Target): Promise<string> {
	const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(5_000) });
	return JSON.parse(await response.text()).nodeId;
}

async function statusOf({ port }: Target, path: string): Promise<number> {
	const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5_000) });
	await response.arrayBuffer();
	return response.status;
}
