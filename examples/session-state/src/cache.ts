import type { Session } from '@holdfast/session-manager';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';

/** An expensive result: the session computes it once, and every node can read it. */
export function addCache(server: McpServer, { state }: Session): void {
	server.registerTool(
		'count_primes',
		{ description: 'Counts the primes below a number', inputSchema: z.object({ below: z.int().max(10_000_000) }) },
		async ({ below }) => {
			const result = await state.getOrCompute(`primes:below:${below}`, () => ({
				primes: countPrimes(below),
				computedBy: process.pid,
				computedAt: Date.now(),
			}));
			return { content: [{ type: 'text', text: JSON.stringify(result) }] };
		},
	);
}

function countPrimes(below: number): number {
	const composite = new Uint8Array(Math.max(below, 0));
	let primes = 0;
	for (let n = 2; n < below; n++) {
		if (composite[n]) continue;
		primes += 1;
		for (let multiple = n * n; multiple < below; multiple += n) composite[multiple] = 1;
	}
	return primes;
}
