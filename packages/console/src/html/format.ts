import { type Html, html } from './html.js';

/** Returns a text of at most `length` characters; what is longer ends in an ellipsis. */
export function clipped(text: string, length: number): string {
	// No text is so long that looking at its beginning takes time.
	const characters = [...text.slice(0, 2 * length + 2)];
	return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

/** Returns a count with separators: `12,345`. */
export function counted(count: number): string {
	return count.toLocaleString('en-US');
}

/** Returns a count with what is counted: `1 session`, `2 sessions`. */
export function plural(count: number, singular: string, several = `${singular}s`): string {
	return `${counted(count)} ${count === 1 ? singular : several}`;
}

/** Returns a size: `17 B`, `1.2 kB`. */
export function sized(bytes: number): string {
	if (bytes < 1_000) return `${bytes} B`;
	return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** Returns a duration in its largest unit: `12 s`, `5 min`, `3 h`, `2 d`. */
export function lasted(ms: number): string {
	const seconds = Math.max(0, Math.round(ms / 1_000));
	if (seconds < 120) return `${seconds} s`;
	if (seconds < 2 * 3_600) return `${Math.floor(seconds / 60)} min`;
	if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3_600)} h`;
	return `${Math.floor(seconds / 86_400)} d`;
}

/** Writes how long ago `time` was, or how long it is until then, with the date behind it. */
export function moment(time: number | undefined, now: number): Html {
	if (time === undefined || !isDate(time)) return html`<span class="none">–</span>`;
	const date = new Date(time).toISOString();
	const distance = time > now ? `in ${lasted(time - now)}` : `${lasted(now - time)} ago`;
	return html`<time datetime="${date}" title="${date}">${distance}</time>`;
}

/** A record may hold any number. */
function isDate(time: number): boolean {
	return Math.abs(time) <= 8.64e15;
}
