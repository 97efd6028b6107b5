import { toError } from '@holdfast/session-manager/internal';
import type { AuditNote } from '@holdfast/transport';
import { facts, section, table } from '../html/elements.js';
import { counted, moment, plural } from '../html/format.js';
import { type Html, html, type Part } from '../html/html.js';
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
)}${wholeName(view, text)}
`,
	};
};

/** Writes the way to somebody who has conversations and no session, whom no list names. */
function wholeName(view: View, text: string): Part {
	if (view.conversations === undefined || text === '') return undefined;
	const { name } = personOf(text);
	return html`<p class="hint">Somebody without a session is found by their whole name:
<a href="${to(view, 'person', { principal: text })}"><bdi>${name}</bdi></a></p>`;
}

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
	const conversations = await conversationsOf(view, principal);
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
${conversations}
`,
	};
};

/** Writes how many conversations a person has; nothing where the console knows of none. */
async function conversationsOf({ conversations }: View, principal: string): Promise<Part> {
	if (conversations === undefined) return undefined;
	let content: Html;
	try {
		const { own, others, damaged } = await conversations.persons.count(principal);
		content = facts([
			['Own', counted(own)],
			['Of others', counted(others)],
			...(damaged > 0 ? [['Damaged, perhaps theirs', counted(damaged)] as const] : []),
		]);
	} catch (error) {
		// The sessions are there all the same.
		content = html`<p class="empty">They cannot be counted: ${toError(error).message}</p>`;
	}
	return section('conversations', 'Conversations', content);
}

/** Counts what is kept for a person besides sessions. A manager that knows no kinds returns the ids of all of them. */
async function countOf({ info }: View, principal: string, kind: string): Promise<number> {
	return (await info.sessionsOf(principal, kind)).filter((id) => id.startsWith(`${kind} `)).length;
}

function actions(view: View, principal: string, name: string) {
	const has = view.conversations !== undefined;
	const untouched = 'Conversations are not part of it: this console knows of none.';
	return [
		actionForm(view, {
			action: 'export',
			path: 'person/export',
			button: 'Export',
			text: `Saves the sessions, tasks and handles of ${name}, values of state included, ${
				has ? 'and their conversations, as one JSON document.' : `as one JSON document. ${untouched}`
			}`,
			fields: { principal },
		}),
		actionForm(view, {
			action: 'erase',
			path: 'person/erase',
			button: 'Erase',
			text: `Ends every session of ${name} on every node, and erases their sessions, tasks and handles${
				has ? ', the conversations that they own, for everybody, and what they wrote in others’.' : `. ${untouched}`
			} It is gone for good.`,
			isDangerous: true,
			confirm: 'erase',
			fields: { principal },
		}),
	];
}

/** Saves what is stored of a person. */
export const exportPerson: Handler = async (view) => {
	const principal = principalOf(view.form);
	if (principal === undefined) return redirect(to(view, 'people'));
	const { principals } = view.transport;
	const note = noteOf(view);
	const persons = personsOf(view, note);
	const all =
		persons === undefined
			? await principals.export(principal, note)
			: await principals.audit('export', principal, 'conversations', note, () => persons.export(principal));
	const notCovered = persons === undefined ? ['conversations'] : [];
	return {
		status: 200,
		headers: {
			'content-type': 'application/json; charset=utf-8',
			'content-disposition': 'attachment; filename="person.json"',
		},
		body: `${JSON.stringify({ ...all, notCovered }, undefined, '\t')}\n`,
	};
};

/** Erases what is stored of a person. */
export const erasePerson: Handler = async (view) => {
	const principal = principalOf(view.form);
	if (principal === undefined || view.form.get('confirm') !== 'erase') return redirect(to(view, 'people'));
	const note = noteOf(view);
	if (note.reason === undefined) return redirect(to(view, 'person', { principal, done: 'reason' }));
	const { principals } = view.transport;
	const persons = personsOf(view, note);
	try {
		if (persons === undefined) await principals.erase(principal, note);
		else await principals.audit('erase', principal, 'conversations', note, () => persons.erase(principal));
	} catch (error) {
		if (!isConversationError(error)) throw error;
		return {
			status: 500,
			title: 'Not all is erased',
			place: 'people',
			content: html`${heading('Not all is erased')}<p class="notice bad" role="status">${error.message}</p>
<p><a href="${to(view, 'person', { principal })}">Back to the person</a></p>`,
		};
	} finally {
		view.census.forget();
	}
	return redirect(to(view, 'people', { done: persons === undefined ? 'erased' : 'all-erased' }));
};

/** Returns what exports and erases conversations and sessions at once; `undefined` where there are only sessions. */
function personsOf({ conversations, transport: { principals } }: View, note: AuditNote) {
	return conversations?.persons.withSessions({
		export: (principal) => principals.export(principal, note),
		erase: (principal) => principals.erase(principal, note),
	});
}

function isConversationError(error: unknown): error is Error {
	return error instanceof Error && error.name === 'ConversationError';
}

function noteOf(view: View): AuditNote {
	return { by: view.operator, reason: reasonOf(view) };
}

function principalOf(given: URLSearchParams): string | undefined {
	const principal = given.get('principal') ?? '';
	return principal === '' || principal.length > MAX_PRINCIPAL ? undefined : principal;
}
