/** What a tool answers as text: the JSON, where it is some. Throws what a tool's error says. */
export function parsed(result) {
	const text = textOf(result);
	if (result.isError) throw new Error(text);
	try {
		return JSON.parse(text);
	} catch {
		return text;
	}
}

/** Clients hand out the whole result, its content, its one block, or the text. */
function textOf(result) {
	if (typeof result === 'string') return result;
	const blocks = Array.isArray(result) ? result : (result.content ?? [result]);
	return blocks.find(({ type }) => type === 'text').text;
}
