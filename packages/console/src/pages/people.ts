import type { AuditNote } from '@holdfast/transport';
import { facts, section, table } from '../html/elements.js';
import { counted, moment, plural } from '../html/format.js';
import { type Html, html } from '../html/html.js';
import { redirect } from '../http/reply.js';
import { actionForm, heading, outcome, pageOf, person, personOf } from './parts.js';
import { reasonOf } from './session.js';
import { sessionTable } from './sessions.js';
import { type Handler, numberOf, to, type View } from './view.js';

const ROWS = 50;
const MAX_FILTER = 200;
/** The longest principal that an address may name, in UTF-16 units. */
const MAX_PRINCIPAL = 2_000;

/** Whoever has sessions, the most first. */
export const people: Handler = async (view) => {
	const count = await view.census.count();
	const text = (view.query.get('q') ?? '').trim().slice(0, MAX_FILTER);
	const wanted = text.toLowerCase();
	const fitting = count.principals.filter(([principal]) => principal.toLowerCase().includes(wanted));
	const address = (from: number) => to(view, 'people', { q: text, from: from || undefined });
	const { items, pager } = pageOf(fitting, numberOf(view, 'from'), ROWS, address);
	const anonymous = count.anonymous > 0 ? ` Without a person: ${plural(count.anonymous, 'session')}.` : '';
	const partly = count.isPartial ? ` The first ${counted(count.sessions)} sessions were counted.` : '';
	return {
		title: 'People',
		place: 'people',
		content: html`${heading('People', `Who has sessions.${anonymous}${partly}`)}${outcome(view)}
${filterForm(view, text)}
${section(
	'people',
	plural(fitting.length, 'person', 'people'),
	html`${table(
		'People',
		[
			{ title: 'Person', kind: 'main', cell: ([principal]) => person(view, principal) },
			{ title: 'Sessions', kind: 'number', cell: ([, sessions]) => counted(sessions) },
		],
		items,
		'Nobody fits.',
	)}${pager}`,
	{ note: html`Counted ${moment(count.at, view.now)}` },
)}
`,
	};
};

function filterForm(view: View, text: string): Html {
	return html`<form class="filter" method="get" action="${to(view, 'people')}" role="search" aria-label="People">
<div><label for="q">Name or issuer</label>
<input id="q" name="q" type="search" value="${text}" maxlength="${MAX_FILTER}" autocomplete="off" spellcheck="false"></div>
<button>Filter</button>
</form>`;
}

/** One person: their sessions, and what can be done with all that is stored of them. */
export const onePerson: Handler = async (view) => {
	const principal = principalOf(view.query);
	if (principal === undefined) return redirect(to(view, 'people'));
	const { info } = view;
	const ids = [...(await info.sessionsOf(principal))].sort();
	const address = (from: number) => to(view, 'person', { principal, from: from || undefined });
	const { items, pager } = pageOf(ids, numberOf(view, 'from'), ROWS, address);
	const records = (await Promise.all(items.map((id) => info.read(id)))).filter((record) => record !== undefined);
	const [tasks, handles] = await Promise.all([countOf(view, principal, 'task'), countOf(view, principal, 'handle')]);
	const { name, issuer } = personOf(principal);
	return {
		title: 'Person',
		place: 'people',
		content: html`${heading(html`<bdi>${name}</bdi>`, issuer !== '' && html`<bdi>${issuer}</bdi>`)}${outcome(view)}
<div class="actions">${actions(view, principal, name)}</div>
${section('sessions', 'Sessions', html`${sessionTable(view, records, 'No session lives.', false)}${pager}`, {
	note: ids.length > records.length && `${plural(ids.length, 'session')}, ended ones that are kept included`,
})}
${section(
	'records',
	'Without a session',
	facts([
		['Tasks', counted(tasks)],
		['Handles', counted(handles)],
	]),
	{ note: 'Clients of 2026-07-28' },
)}
`,
	};
};

/** Counts what is kept for a person besides sessions. A manager that knows no kinds returns the ids of all of them. */
async function countOf({ info }: View, principal: string, kind: string): Promise<number> {
	return (await info.sessionsOf(principal, kind)).filter((id) => id.startsWith(`${kind} `)).length;
}

function actions(view: View, principal: string, name: string) {
	return [
		actionForm(view, {
			action: 'export',
			path: 'person/export',
			button: 'Export',
			text: `Saves all that is stored of ${name} as one JSON document, values of state included.`,
			fields: { principal },
		}),
		actionForm(view, {
			action: 'erase',
			path: 'person/erase',
			button: 'Erase',
			text: `Ends every session of ${name} on every node, and erases all that is stored of them. It is gone for good.`,
			isDangerous: true,
			confirm: 'erase',
			fields: { principal },
		}),
	];
}

/** Saves all that is stored of a person. */
export const exportPerson: Handler = async (view) => {
	const principal = principalOf(view.form);
	if (principal === undefined) return redirect(to(view, 'people'));
	const all = await view.transport.principals.export(principal, noteOf(view));
	return {
		status: 200,
		headers: {
			'content-type': 'application/json; charset=utf-8',
			'content-disposition': 'attachment; filename="person.json"',
		},
		body: `${JSON.stringify(all, undefined, '\t')}\n`,
	};
};

/** Erases all that is stored of a person. */
export const erasePerson: Handler = async (view) => {
	const principal = principalOf(view.form);
	if (principal === undefined || view.form.get('confirm') !== 'erase') return redirect(to(view, 'people'));
	const note = noteOf(view);
	if (note.reason === undefined) return redirect(to(view, 'person', { principal, done: 'reason' }));
	await view.transport.principals.erase(principal, note);
	view.census.forget();
	return redirect(to(view, 'people', { done: 'erased' }));
};

function noteOf(view: View): AuditNote {
	return { by: view.operator, reason: reasonOf(view) };
}

function principalOf(given: URLSearchParams): string | undefined {
	const principal = given.get('principal') ?? '';
	return principal === '' || principal.length > MAX_PRINCIPAL ? undefined : principal;
}
