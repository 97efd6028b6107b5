/**
 * The last line of the event that ends a request stream: an SSE comment, which clients ignore. A resumable manager
 * closes the controller after it, on whichever node holds the stream, and returns `ended` to a client that resumes
 * after it.
 */
export const END_OF_STREAM = ':end';

const lastLine = `${END_OF_STREAM}\n\n`;

/** Returns whether the event `data` ends its request stream: whether its last line is {@link END_OF_STREAM}. */
export function endsStream(data: string): boolean {
	return data.endsWith(lastLine) && (data.length === lastLine.length || data.at(-lastLine.length - 1) === '\n');
}
