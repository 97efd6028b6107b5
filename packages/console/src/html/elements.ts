import { counted } from './format.js';
import { type Html, html, type Part } from './html.js';

/** What something is about, by colour; the words beside it say the same. */
export type Tone = 'good' | 'warn' | 'bad' | 'calm' | 'plain';

/** Writes a state as a coloured pill. */
export function pill(tone: Tone, text: string): Html {
	return html`<span class="pill ${tone}">${text}</span>`;
}

/** Writes what is not there. */
export const none = html`<span class="none">–</span>`;

/** A column of a {@link table}. */
export interface Column<Row> {
	readonly title: string;
	readonly cell: (row: Row) => Part;
	/** How it is shown: numbers end at the same edge, and the main column leads its row. */
	readonly kind?: 'number' | 'main';
}

/**
 * Writes a table. On a narrow screen each row becomes a card; the roles keep it a table for whoever cannot see it.
 */
export function table<Row>(
	caption: string,
	columns: readonly Column<Row>[],
	rows: readonly Row[],
	empty: string,
): Html {
	if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
	return html`<table role="table" class="rows${columns.length === 2 && ' pairs'}">
<caption class="unseen">${caption}</caption>
<thead role="rowgroup"><tr role="row">${columns.map(
		({ title, kind = '' }) => html`<th role="columnheader" scope="col" class="${kind}">${title}</th>`,
	)}</tr></thead>
<tbody role="rowgroup">${rows.map(
		(row) => html`<tr role="row">${columns.map(
			({ title, kind = '', cell }) =>
				html`<td role="cell" class="${kind}" data-title="${title}"><div>${cell(row)}</div></td>`,
		)}</tr>
`,
	)}</tbody>
</table>`;
}

/** A name with how often it occurs. */
export interface Share {
	readonly name: Part;
	readonly count: number;
}

/** Writes counts as bars, the largest of which fills the width. */
export function bars(shares: readonly Share[], empty: string): Html {
	if (shares.length === 0) return html`<p class="empty">${empty}</p>`;
	const most = Math.max(...shares.map(({ count }) => count));
	const widthOf = (count: number) => ((100 * count) / Math.max(1, most)).toFixed(1);
	return html`<ul class="bars">${shares.map(
		({ name, count }) => html`<li><span class="name">${name}</span><span class="count">${counted(count)}</span>
<svg class="bar" aria-hidden="true" viewBox="0 0 100 4" preserveAspectRatio="none">
<rect width="100" height="4" class="all"/><rect width="${widthOf(count)}" height="4"/>
</svg></li>
`,
	)}</ul>`;
}

const WIDTH = 120;
const HEIGHT = 28;

/** Draws how a value went; the newest is at the right edge. Nothing is drawn of fewer than two values. */
export function line(values: readonly number[], tone: Tone = 'calm'): Html {
	if (values.length < 2)
		return html`<svg class="line ${tone}" aria-hidden="true" viewBox="0 0 ${WIDTH} ${HEIGHT}"></svg>`;
	const most = Math.max(1, ...values);
	const step = WIDTH / (values.length - 1);
	const points = values.map(
		(value, index) => `${(index * step).toFixed(1)},${(HEIGHT - 1 - (value / most) * (HEIGHT - 3)).toFixed(1)}`,
	);
	return html`<svg class="line ${tone}" aria-hidden="true" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none"><polygon points="0,${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}"/><polyline points="${points.join(' ')}"/></svg>`;
}

/** Writes names with their values. */
export function facts(entries: readonly (readonly [name: string, value: Part])[]): Html {
	return html`<dl class="facts">${entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Writes a part of a page under a heading. What is `live` is fetched again when something happens. */
export function section(
	id: string,
	heading: string,
	content: Part,
	{ live = true, note = undefined as Part } = {},
): Html {
	return html`<section class="card" id="${id}" aria-labelledby="${id}-heading"${live && html` data-region`}>
<div class="head"><h2 id="${id}-heading">${heading}</h2>${note !== undefined && html`<p class="note">${note}</p>`}</div>
${content}
</section>`;
}
