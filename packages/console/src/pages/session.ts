import type { JsonObject, SessionRecord } from '@holdfast/session-manager';
import { expiryOf, statusOf } from '@holdfast/session-manager/custom';
import { clientOf } from '../data/census.js';
import { facts, none, section, table } from '../html/elements.js';
import { clipped, moment, plural, sized } from '../html/format.js';
import { type Html, html, type Part } from '../html/html.js';
import { redirect } from '../http/reply.js';
import { happenings } from './activity.js';
import { actionForm, heading, outcome, pageOf, person, status } from './parts.js';
import { type Handler, numberOf, to, type View } from './view.js';

const ROWS = 50;
/** How many happenings are listed. */
const LATEST = 20;
/** The longest document that is shown whole, in characters. */
const MAX_JSON = 10_000;
const MAX_TEXT = 300;

/** One session: who, what it can, what it subscribed to, and what happened to it. */
export const session: Handler = async (view) => {
	const [hash = ''] = view.names;
	const found = await view.finder.find(hash);
	if (found === undefined) return unknown(view, hash);
	const { ended } = found;
	const record = ended === undefined ? found.record : ended.record;
	const state = ended === undefined ? statusOf(record) : 'ended';
	return {
		title: `Session ${hash}`,
		place: 'sessions',
		content: html`${heading(html`<bdi>${clientOf(record)}</bdi>`, html`<span class="id">${hash}</span> ${status(state)}`)}${outcome(view)}
${ended === undefined && html`<div class="actions">${actions(view, hash)}</div>`}
${section(
	'facts',
	'Session',
	facts([
		['Person', person(view, record.principal)],
		['Revision', clipped(record.protocolVersion, 20)],
		['Transport', record.transport === 'sse' ? 'HTTP+SSE' : 'Streamable HTTP'],
		['Opened', moment(record.createdAt, view.now)],
		['Last used', moment(record.lastUsedAt, view.now)],
		ended === undefined ? ['Expires', moment(expiryOf(record), view.now)] : ['Ended', moment(ended.endedAt, view.now)],
		...(ended === undefined ? [] : [['Reason', html`<bdi>${clipped(ended.reason, MAX_TEXT)}</bdi>`] as const]),
		['Log level', record.logLevel ?? none],
		['Session stream', streamOf(view, record)],
		['From', record.remoteAddress ?? none],
	]),
)}
<div class="columns even">
${section('client', 'Client capabilities', json(capabilitiesOf(record)))}
${section('server', 'Server capabilities', json(record.serverCapabilities))}
</div>
${ended === undefined && (await subscriptions(view, hash, record))}
${await stateOf(view, hash, record)}
${section('latest', 'Latest', happenings(view, latestOf(view, hash)))}
`,
	};
};

/** Ends a session on every node. */
export const endSession: Handler = (view) =>
	act(view, async (record, reason) => {
		if (reason === undefined) return 'reason';
		await view.transport.terminate(record.id, reason, { by: view.operator });
		return 'ended';
	});

/** Suspends a session on every node. */
export const suspendSession: Handler = (view) =>
	act(view, async (record, reason) => {
		const suspended = await view.transport.suspend(record.id, { by: view.operator, reason });
		return suspended ? 'suspended' : 'busy';
	});

/** Does something with a living session, and shows its page again with what became of it. */
async function act(view: View, work: (record: SessionRecord, reason: string | undefined) => Promise<string>) {
	const [hash = ''] = view.names;
	const found = await view.finder.find(hash);
	if (found?.record === undefined) return redirect(to(view, 'sessions', { done: 'unknown' }));
	const done = await work(found.record, reasonOf(view));
	view.census.forget();
	return redirect(to(view, `sessions/${hash}`, { done }));
}

/** Returns why the operator does it, as the form says. */
export function reasonOf({ form }: View): string | undefined {
	const reason = (form.get('reason') ?? '').trim().slice(0, 200);
	return reason === '' ? undefined : reason;
}

function unknown(view: View, hash: string) {
	// Whoever just ended it gets here, too.
	const text = html`It has ended or expired, or there never was one. <a href="${to(view, 'sessions')}">All sessions</a>`;
	return {
		status: 404,
		title: 'No such session',
		place: 'sessions',
		content: html`${heading('No such session', html`<span class="id">${hash}</span>`)}${outcome(view)}
<p class="empty">${text}</p>
`,
	};
}

function actions(view: View, hash: string): Part {
	return [
		actionForm(view, {
			action: 'suspend',
			path: `sessions/${hash}/suspend`,
			button: 'Suspend',
			text: 'Nodes free what they hold of it. Its next request resumes it, on any node.',
		}),
		actionForm(view, {
			action: 'end',
			path: `sessions/${hash}/end`,
			button: 'End session',
			text: 'Running calls get an error with this reason, streams close, and the client is told to begin anew.',
			isDangerous: true,
		}),
	];
}

function latestOf({ activity }: View, hash: string) {
	return (activity?.latest ?? []).filter(({ session }) => session === hash).slice(0, LATEST);
}

function streamOf({ activity }: View, { id }: SessionRecord): Part {
	if (activity === undefined) return none;
	return activity.hasStream(id) ? 'open, on a node of this process' : 'none on the nodes of this process';
}

async function subscriptions(view: View, hash: string, { id }: SessionRecord): Promise<Html> {
	const uris = [...(await view.info.getSubscribedUris(id))].sort();
	const address = (from: number) => to(view, `sessions/${hash}`, { subscriptions: from || undefined });
	const { items, pager } = pageOf(uris, numberOf(view, 'subscriptions'), ROWS, address);
	const list = html`<ul class="texts">${items.map((uri) => html`<li><bdi>${clipped(uri, MAX_TEXT)}</bdi></li>`)}</ul>${pager}`;
	const empty = html`<p class="empty">It subscribed to nothing.</p>`;
	return section('subscriptions', 'Subscriptions', uris.length === 0 ? empty : list, {
		note: plural(uris.length, 'resource'),
	});
}

/** State is read only when somebody asks, and its values are not shown: they may be private. */
async function stateOf(view: View, hash: string, { id }: SessionRecord): Promise<Html> {
	if (view.query.get('state') === null) {
		const link = html`<p><a class="button" href="${to(view, `sessions/${hash}`, { state: 1 })}#state">Show keys and sizes</a></p>`;
		return section('state', 'State', link, { live: false });
	}
	const stored = [...(await view.info.listState(id))]
		.map(([key, { value }]) => ({ key, size: Buffer.byteLength(value) }))
		.sort((one, other) => other.size - one.size);
	const total = stored.reduce((sum, { size }) => sum + size, 0);
	const address = (from: number) => to(view, `sessions/${hash}`, { state: 1, from: from || undefined });
	const { items, pager } = pageOf(stored, numberOf(view, 'from'), ROWS, address);
	const columns = [
		{
			title: 'Key',
			kind: 'main' as const,
			cell: ({ key }: { key: string }) => html`<bdi>${clipped(key, MAX_TEXT)}</bdi>`,
		},
		{ title: 'Size', kind: 'number' as const, cell: ({ size }: { size: number }) => sized(size) },
	];
	const rows = html`${table('State', columns, items, 'There is no state.')}${pager}`;
	return section('state', 'State', rows, { live: false, note: `${plural(stored.length, 'key')}, ${sized(total)}` });
}

function capabilitiesOf({ initializeParams }: SessionRecord): JsonObject {
	return (initializeParams['capabilities'] ?? {}) as JsonObject;
}

function json(value: JsonObject): Html {
	const text = JSON.stringify(value, undefined, 2);
	if (text === '{}') return html`<p class="empty">Nothing special.</p>`;
	return html`<pre tabindex="0">${clipped(text, MAX_JSON)}</pre>`;
}
