/**
 * The last line of an event that ends its request stream: an SSE comment, invisible to clients. A resumable manager closes the
 * controller after it, on whichever node holds it, and answers `ended` to whoever resumes after it.
 */
export const END_OF_STREAM = ':end';

const lastLine = `${END_OF_STREAM}\n\n`;

/** Whether the event `data` ends the request stream that it is sent to: whether {@link END_OF_STREAM} is its last line. */
export function endsStream(data: string): boolean {
	return data.endsWith(lastLine) && (data.length === lastLine.length || data.at(-lastLine.length - 1) === '\n');
}
