import { none, pill, type Tone } from '../html/elements.js';
import { clipped, counted } from '../html/format.js';
import { type Html, html, type Part } from '../html/html.js';
import { type ConsoleAction, to, type View } from './view.js';

/** The longest name that is shown of a person. */
const NAME_LENGTH = 80;

/** What happened to what an operator asked for, by the word in the address. No other text comes from there. */
const outcomes: Readonly<Record<string, readonly [Tone, string]>> = {
	ended: ['good', 'The session was ended on every node.'],
	suspended: ['good', 'The session was suspended: no node holds anything of it.'],
	busy: ['warn', 'The session was not suspended: it is in use, has ended, or cannot be suspended.'],
	erased: ['good', 'All sessions of the person were ended and erased, with tasks and handles. Conversations were not.'],
	'all-erased': ['good', 'All sessions of the person were ended, and all was erased, conversations included.'],
	unknown: ['warn', 'There is no such session any more.'],
	reason: ['warn', 'Nothing was done. Say why: the audit keeps the reason.'],
	again: ['warn', 'The list begins again: it cannot be continued from that address.'],
};

/** Writes what became of the last action. */
export function outcome({ query }: View, given = query.get('done') ?? ''): Part {
	const found = Object.hasOwn(outcomes, given) ? outcomes[given] : undefined;
	if (found === undefined) return undefined;
	const [tone, text] = found;
	return html`<p class="notice ${tone}" role="status">${text}</p>`;
}

/** Writes the head of a page. */
export function heading(title: Part, below?: Part): Html {
	return html`<div class="title"><h1>${title}</h1>${below !== undefined && below !== false && html`<p>${below}</p>`}</div>
`;
}

const statusTones: Readonly<Record<string, Tone>> = {
	active: 'good',
	opening: 'calm',
	suspended: 'plain',
	ended: 'bad',
	ready: 'good',
	draining: 'warn',
	gone: 'bad',
	left: 'plain',
};

export function status(text: string): Html {
	return pill(statusTones[text] ?? 'plain', text);
}

/** Who a principal is: the subject, and who vouches for it. */
export function personOf(principal: string): { readonly name: string; readonly issuer: string } {
	if (principal.startsWith('credential:')) return { name: 'A credential', issuer: principal.slice(-8) };
	const space = principal.indexOf(' ');
	const issuer = space > 0 ? principal.slice(0, space) : '';
	return { name: clipped(principal.slice(space + 1), NAME_LENGTH), issuer: clipped(issuer, NAME_LENGTH) };
}

/** Writes a person, with the way to what is stored of them. */
export function person(view: View, principal: string | undefined): Html {
	if (principal === undefined) return none;
	const { name, issuer } = personOf(principal);
	return html`<a href="${to(view, 'person', { principal })}"><bdi>${name}</bdi></a>${issuer !== '' && html` <span class="from"><bdi>${issuer}</bdi></span>`}`;
}

/** Writes the way to a session. */
export function sessionLink(view: View, hash: string): Html {
	return html`<a class="id" href="${to(view, `sessions/${hash}`)}">${hash}</a>`;
}

/** What a form asks before it does something. */
export interface ActionForm {
	readonly action: ConsoleAction;
	/** Where it is sent. */
	readonly path: string;
	readonly button: string;
	/** What will happen. */
	readonly text: string;
	readonly isDangerous?: boolean;
	/** The word that must be typed first. */
	readonly confirm?: string;
	/** What is sent along. */
	readonly fields?: Readonly<Record<string, string>>;
}

/** Writes the form of an action; nothing where the console does not allow it. */
export function actionForm(view: View, form: ActionForm): Part {
	const { action, path, button, text, isDangerous = false, confirm, fields = {} } = form;
	if (!view.actions.has(action)) return undefined;
	return html`<details class="action">
<summary class="button${isDangerous && ' danger'}">${button}</summary>
<form method="post" action="${to(view, path)}">
<input type="hidden" name="token" value="${view.secrets.formToken(view.operator)}">${Object.entries(fields).map(
		([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
	)}
<p>${text}</p>
<label for="${action}-reason">Reason${!isDangerous && html` <span class="hint">(optional)</span>`}</label>
<input id="${action}-reason" name="reason" maxlength="200" autocomplete="off"${isDangerous && html` required`}>
${
	confirm !== undefined &&
	html`<label for="${action}-confirm">Type <b>${confirm}</b> to confirm</label>
<input id="${action}-confirm" name="confirm" autocomplete="off" pattern="${confirm}" required>`
}
<button class="${isDangerous ? 'danger' : 'primary'}">${button}</button>
</form>
</details>`;
}

/** Writes the way to the other pages of a list, and where this one is. */
export function pager(
	text: string,
	links: { readonly first?: string | undefined; readonly next?: string | undefined },
): Html {
	return html`<nav class="pager" aria-label="More of this list"><span>${text}</span>
${links.first !== undefined && html`<a class="button" href="${links.first}">First page</a>`}
${links.next !== undefined && html`<a class="button" href="${links.next}" rel="next">Next page</a>`}</nav>`;
}

/** Returns the part of a list that the query asks for, with the way on. */
export function pageOf<Item>(
	all: readonly Item[],
	from: number,
	size: number,
	address: (from: number) => string,
): { readonly items: readonly Item[]; readonly pager: Part } {
	const items = all.slice(from, from + size);
	if (all.length <= size) return { items, pager: undefined };
	const text =
		items.length === 0
			? 'Nothing more'
			: `${counted(from + 1)}–${counted(from + items.length)} of ${counted(all.length)}`;
	const next = from + size < all.length ? address(from + size) : undefined;
	return { items, pager: pager(text, { first: from > 0 ? address(0) : undefined, next }) };
}
