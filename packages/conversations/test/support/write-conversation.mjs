/**
 * Writes the conversation `c` until all is written or the process is killed, and says what was acknowledged: a line of
 * JSON for each write. The arguments are the name of this writer, how many writes, and their kinds in turn: m(essage),
 * c(ontext), d(iscovery), h(ead).
 */
export async function writeConversation(store, name, count, kinds = 'm') {
	const room = { keep: 20, batch: 10 };
	const writes = {
		m: (n) => store.append('c', [{ role: 'user', content: `${name}/${n}`, at: n, by: name }], room),
		c: (n) => store.setContext('c', `${name}-${n % 7}`, '*', { value: { n, pad: 'x'.repeat(500) }, at: n }, 20_000),
		d: (n) =>
			store.addDiscovery('c', {
				kind: 'finding',
				title: `${name}/${n}`,
				description: '',
				relevance: 1,
				at: n,
				evidence: { messages: [], context: [] },
				resolves: [],
			}),
		async h(n) {
			for (;;) {
				const { head, version } = await store.read('c');
				if (await store.write('c', version, { ...head, metadata: { ...head.metadata, [name]: n } })) return true;
			}
		},
	};
	for (let n = 0; n < Number(count); n++) {
		const kind = kinds[n % kinds.length];
		try {
			const result = await writes[kind](n);
			process.stdout.write(`${JSON.stringify({ kind, n, result })}\n`);
		} catch (error) {
			// Nothing was written: on a busy machine the others may hold a database for longer than a call waits.
			if (/ is locked by another process/.test(error.message)) {
				n--;
				continue;
			}
			process.stdout.write(`${JSON.stringify({ kind, n, error: error.code, message: error.message })}\n`);
		}
	}
	await store.close();
}
