/** SDK v2, which knows the revisions without sessions. */
export type SdkV2 = typeof import('@modelcontextprotocol/server');

/** Loads SDK v2. Only servers with the option `stateless` need this peer dependency, so nothing imports it earlier. */
export async function loadSdk(): Promise<SdkV2> {
	try {
		return await import('@modelcontextprotocol/server');
	} catch (cause) {
		throw new Error('The option stateless needs @modelcontextprotocol/server 2.4 or later; install it.', { cause });
	}
}
