/** How a client connected, in words. */
export function wayName({ transport, mode }) {
	const name = transport === 'sse' ? 'HTTP+SSE' : 'Streamable HTTP';
	return mode === undefined ? name : `${name}, \`${mode}\``;
}

/** The table of the documentation: a line a package and way, with the versions that passed. */
export function toMarkdown(results) {
	const lines = new Map();
	for (const result of results) {
		const key = `${result.name} ${wayName(result.way)}`;
		lines.set(key, [...(lines.get(key) ?? []), result]);
	}
	return [
		'<!-- Written by `pnpm run clients -- --write`. -->',
		'# What clients lived through',
		'',
		'Each client connected through nginx to three nodes, and used its session while one node after another was killed.',
		'The [README](README.md) says what was demanded of it. A version that is struck through failed.',
		'',
		'| client | versions | over | after `kill -9` of a node |',
		'|---|---|---|---|',
		...[...lines.values()].map(toLine),
		'',
	].join('\n');
}

function toLine(results) {
	const [{ name, way }] = results;
	const versions = results.map(({ version, failure }) => (failure === undefined ? version : `~~${version}~~`));
	return `| \`${name}\` | ${versions.join(', ')} | ${wayName(way)} | ${afterDeath(results)} |`;
}

function afterDeath(results) {
	const [{ way, session }] = results;
	const failures = results.flatMap(({ version, failure }) => (failure === undefined ? [] : [`${version} ${failure}`]));
	if (failures.length > 0) return failures.join('; ').replaceAll(/[|\n]/g, ' ');
	if (session === 'one call') return 'goes on: each command is a session';
	if (way.reconnects === false) return 'connects anew';
	if (way.transport === 'sse') return 'opens a stream by itself';
	if (session === 'renewed') return 'goes on; gives its session up after any error';
	return results.some(({ hears }) => hears) ? 'goes on in its session, and hears of changes' : 'goes on in its session';
}
