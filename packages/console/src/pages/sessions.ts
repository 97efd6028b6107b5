import type { SessionRecord } from '@holdfast/session-manager';
import { expiryOf, statusOf } from '@holdfast/session-manager/custom';
import { clientOf } from '../data/census.js';
import { type ListPosition, listSessions } from '../data/session-list.js';
import { isShortHash } from '../data/short-hash.js';
import { type Column, section, table } from '../html/elements.js';
import { clipped, counted, moment, plural } from '../html/format.js';
import { type Html, html } from '../html/html.js';
import { redirect } from '../http/reply.js';
import { heading, outcome, pager, person, sessionLink, status } from './parts.js';
import { type Handler, to, type View } from './view.js';

/** The longest filter, in UTF-16 units. */
const MAX_FILTER = 200;
const statuses: readonly string[] = ['active', 'suspended', 'opening'];

/** The living sessions, a page at a time, as the filter in the address wants them. */
export const sessions: Handler = async (view) => {
	const text = (view.query.get('q') ?? '').trim().slice(0, MAX_FILTER);
	const wanted = view.query.get('status') ?? '';
	const filter = { text, status: statuses.includes(wanted) ? wanted : '' };
	// Whoever types a whole hash means the one session.
	if (isShortHash(text) && (await view.finder.find(text)) !== undefined) return redirect(to(view, `sessions/${text}`));
	const sealed = view.query.get('after') ?? '';
	const position = positionOf(view, sealed);
	const page = await listSessions(view.info, filter, position ?? { skip: 0 });
	const address = (next?: ListPosition) =>
		to(view, 'sessions', {
			q: filter.text,
			status: filter.status,
			after: next && view.secrets.seal(JSON.stringify(next)),
		});
	const found = plural(page.records.length, 'session');
	const looked = filter.text === '' && filter.status === '' ? '' : `, of ${counted(page.examined)} looked at`;
	return {
		title: 'Sessions',
		place: 'sessions',
		content: html`${heading('Sessions')}${outcome(view, sealed !== '' && position === undefined ? 'again' : undefined)}
${filterForm(view, filter)}
${section(
	'sessions',
	'Living sessions',
	html`${sessionTable(view, page.records, page.next === undefined ? 'No session fits.' : 'None here: look at the next page.')}
${pager(`${found}${looked}`, {
	first: position === undefined ? undefined : address(),
	next: page.next && address(page.next),
})}`,
)}
`,
	};
};

/** Returns where the page begins; `undefined` at the beginning, and for what this console did not write. */
function positionOf({ secrets }: View, sealed: string): ListPosition | undefined {
	const text = sealed === '' ? undefined : secrets.open(sealed);
	return text === undefined ? undefined : (JSON.parse(text) as ListPosition);
}

function filterForm(view: View, filter: { readonly text: string; readonly status: string }): Html {
	return html`<form class="filter" method="get" action="${to(view, 'sessions')}" role="search" aria-label="Sessions">
<div><label for="q">Client, person or hash</label>
<input id="q" name="q" type="search" value="${filter.text}" maxlength="${MAX_FILTER}" autocomplete="off" spellcheck="false"></div>
<div><label for="status">Status</label>
<select id="status" name="status"><option value="">Any</option>${statuses.map(
		(each) => html`<option${each === filter.status && html` selected`}>${each}</option>`,
	)}</select></div>
<button>Filter</button>
</form>`;
}

/** Writes sessions as a table, the one used last first. */
export function sessionTable(view: View, records: readonly SessionRecord[], empty: string, withPerson = true): Html {
	const sorted = [...records].sort((one, other) => other.lastUsedAt - one.lastUsedAt);
	const columns: Column<SessionRecord>[] = [
		{ title: 'Session', kind: 'main', cell: ({ id }) => sessionLink(view, view.finder.remember(id)) },
		{ title: 'Client', cell: (record) => html`<bdi>${clientOf(record)}</bdi>` },
		{ title: 'Person', cell: ({ principal }) => person(view, principal) },
		{ title: 'Revision', cell: ({ protocolVersion }) => clipped(protocolVersion, 20) },
		{ title: 'Status', cell: (record) => status(statusOf(record)) },
		{ title: 'Opened', cell: ({ createdAt }) => moment(createdAt, view.now) },
		{ title: 'Last used', cell: ({ lastUsedAt }) => moment(lastUsedAt, view.now) },
		{ title: 'Expires', cell: (record) => moment(expiryOf(record), view.now) },
	];
	return table(
		'Sessions',
		columns.filter(({ title }) => withPerson || title !== 'Person'),
		sorted,
		empty,
	);
}
