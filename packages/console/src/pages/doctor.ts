import type { Examination } from '../data/examination.js';
import { section } from '../html/elements.js';
import { clipped, lasted, moment, plural } from '../html/format.js';
import { type Html, html } from '../html/html.js';
import { redirect } from '../http/reply.js';
import { heading } from './parts.js';
import { type Handler, to, type View } from './view.js';

/** How many findings are shown; there are fewer kinds of them. */
const FINDINGS = 100;
const MAX_TEXT = 500;

/** What is wrong, and how to repair it. */
export const doctor: Handler = async (view) => {
	const { examination } = view;
	if (examination === undefined) return redirect(to(view, ''));
	return {
		title: 'Doctor',
		place: 'doctor',
		content: html`${heading('Doctor', 'Looks for what is wrong with the store, and with the endpoint as clients see it.')}
<form class="actions" method="post" action="${to(view, 'doctor/examine')}">
<input type="hidden" name="token" value="${view.secrets.formToken(view.operator)}">
<button class="primary">Examine now</button>
</form>
${section('findings', 'Findings', findings(view, examination))}
`,
	};
};

/** Begins an examination. */
export const examine: Handler = async (view) => {
	view.examination?.begin();
	return redirect(to(view, 'doctor'));
};

function findings(view: View, { startedAt, last, error }: Examination): Html {
	const running =
		startedAt !== undefined &&
		html`<p class="notice calm" role="status">It has been looking for ${lasted(view.now - startedAt)}. Streams are watched for about a minute.</p>`;
	const failed = error !== undefined && html`<p class="notice bad">It could not look: ${clipped(error, MAX_TEXT)}</p>`;
	if (last === undefined)
		return html`${running}${failed}${!running && !failed && html`<p class="empty">Nothing was examined yet.</p>`}`;
	const { findings: found, examined } = last.diagnosis;
	const where = html`<p class="note">${plural(found.length, 'finding')} in ${examined.map((each) => clipped(each, 100)).join(' and ')}, ${moment(last.at, view.now)}</p>`;
	if (found.length === 0) return html`${running}${failed}<p class="notice good">Nothing is wrong.</p>${where}`;
	return html`${running}${failed}${where}
<ul class="findings">${found.slice(0, FINDINGS).map(
		({
			code,
			what,
			repair,
		}) => html`<li><p><strong>${clipped(what, MAX_TEXT)}</strong> <code>${clipped(code, 40)}</code></p>
<p>${clipped(repair, MAX_TEXT)}</p></li>
`,
	)}</ul>`;
}
