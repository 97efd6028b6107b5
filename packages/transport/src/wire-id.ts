/**
 * Writes a wire id: the id that a server→client request has on the wire. SDK servers number their requests from 0 in every
 * process; on the wire an id must be unique in the session, whatever node asks, and must lead the answer back to the node that
 * waits for it. `count` is never used twice by one node.
 */
export function formatWireId(nodeId: string, count: number): string {
	return `${nodeId}:${count.toString(36)}`;
}

/** The node that a wire id names; `undefined` for an id that no node of ours made. */
export function nodeOfWireId(id: unknown): string | undefined {
	if (typeof id !== 'string' || id.length > 64) return undefined;
	return /^([A-Za-z0-9_-]+):[a-z0-9]+$/.exec(id)?.[1];
}
