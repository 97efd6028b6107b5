/** The JSON that a tool of the everything-server answers as text. Throws what a tool's error says. */
export function parsed(result) {
	if (result.isError) throw new Error(textOf(result));
	return JSON.parse(textOf(result));
}

/** Clients hand out the whole result, its content, its one block, or the text. */
function textOf(result) {
	if (typeof result === 'string') return result;
	const blocks = Array.isArray(result) ? result : (result.content ?? [result]);
	return blocks.find(({ type }) => type === 'text').text;
}
