// mcporter, which tries Streamable HTTP first and HTTP+SSE next.
import { parsed } from './parsed.mjs';

export const ways = [{ transport: 'http' }, { transport: 'sse' }];

/** After an error of whatever kind it closes its connection, with all that runs on it, and opens another. */
export const session = 'renewed';

export async function connect({ load, url }) {
	const { createRuntime } = await load();
	const servers = [{ name: 'holdfast', command: { kind: 'http', url: new URL(url) } }];
	const runtime = await createRuntime({ servers });
	return {
		list: async () => (await runtime.listTools('holdfast')).map(({ name }) => name),
		call: async (name, args) => parsed(await runtime.callTool('holdfast', name, { args })),
		close: () => runtime.close(),
	};
}
