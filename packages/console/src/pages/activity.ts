import type { Happening, HappeningKind } from '../activity.js';
import { bars, facts, pill, section, type Tone } from '../html/elements.js';
import { clipped, counted, moment, plural } from '../html/format.js';
import { type Html, html } from '../html/html.js';
import { heading, pageOf, sessionLink } from './parts.js';
import { type Handler, numberOf, to, type View } from './view.js';

const ROWS = 50;
/** How many reasons are listed. */
const REASONS = 12;

/** What happened lately: ends by their reason, open streams, tasks, and events. */
export const activity: Handler = async (view) => {
	const { activity: seen } = view;
	const streams = seen?.streams;
	const address = (from: number) => to(view, 'activity', { from: from || undefined });
	const { items, pager } = pageOf(seen?.latest ?? [], numberOf(view, 'from'), ROWS, address);
	return {
		title: 'Activity',
		place: 'activity',
		content: html`${heading('Activity', seen === undefined ? notSeen : 'What the nodes of this process saw since it started.')}
<div class="columns even">
${section('ended', 'Ended, by reason', bars(reasonsOf(view), 'No session ended here.'))}
${section(
	'open',
	'Open now',
	facts([
		['Session streams', streams === undefined ? '–' : counted(streams.session)],
		['Request streams', streams === undefined ? '–' : counted(streams.request)],
		['Listen streams', streams === undefined ? '–' : counted(streams.listen)],
	]),
)}
</div>
${section('events', 'Events', html`${happenings(view, items)}${pager}`)}
`,
	};
};

const notSeen = 'This console has no activity: give it one that observes your transports to see what happens.';

function reasonsOf({ activity: seen }: View) {
	const all = seen?.endedByReason ?? [];
	const shares = all
		.slice(0, REASONS)
		.map(([reason, count]) => ({ name: html`<bdi>${clipped(reason, 80)}</bdi>`, count }));
	const rest = all.slice(REASONS);
	if (rest.length === 0) return shares;
	const count = rest.reduce((sum, [, each]) => sum + each, 0);
	return [...shares, { name: html`${plural(rest.length, 'other reason')}`, count }];
}

const kinds: Readonly<Record<HappeningKind, readonly [Tone, string]>> = {
	opened: ['good', 'opened'],
	ended: ['bad', 'ended'],
	suspended: ['plain', 'suspended'],
	restored: ['good', 'resumed'],
	takeover: ['calm', 'stream moved'],
	gap: ['warn', 'gap'],
	refused: ['warn', 'refused'],
	store: ['bad', 'store'],
	audit: ['calm', 'audit'],
	node: ['warn', 'node'],
};

/** Writes what happened, as a list. */
export function happenings(view: View, all: readonly Happening[]): Html {
	if (all.length === 0) return html`<p class="empty">Nothing happened yet.</p>`;
	return html`<ol class="feed">${all.map(
		(each) => html`<li>${entry(view, each)}</li>
`,
	)}</ol>`;
}

function entry(view: View, { at, kind, text, session, nodeId }: Happening): Html {
	const [tone, word] = kinds[kind];
	return html`${moment(at, view.now)}${pill(tone, word)}<span class="what">${session !== undefined && sessionLink(view, session)} <bdi>${clipped(text, 160)}</bdi></span><span class="from id">${nodeId !== undefined && clipped(nodeId, 12)}</span>`;
}
