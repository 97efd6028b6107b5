import type { Count } from '../data/census.js';
import type { Beat, DrawnCount } from '../data/pulse.js';
import { sumsOf } from '../data/pulse.js';
import { bars, line, pill, section, type Tone } from '../html/elements.js';
import { counted, plural } from '../html/format.js';
import { type Html, html, type Part } from '../html/html.js';
import { happenings } from './activity.js';
import { nodeTable } from './nodes.js';
import { heading, outcome } from './parts.js';
import { type Handler, to, type View } from './view.js';

/** How many clients are listed. */
const CLIENTS = 6;
/** How many happenings are listed. */
const LATEST = 8;

/** How the deployment is, at a glance. */
export const overview: Handler = async (view) => {
	const beat = await view.pulse.look();
	// Where the store is away, the page still says so.
	const count = beat.storeError === undefined ? await view.census.count() : undefined;
	return {
		title: 'Overview',
		place: '',
		content: html`${heading('Overview')}${outcome(view)}
<section class="tiles" id="health" aria-label="Health" data-region>${tiles(view, beat, count)}</section>
<div class="columns">
${section('nodes', 'Nodes', nodeTable(view, beat, true), { note: html`<a href="${to(view, 'nodes')}">All of them</a>` })}
${section('clients', 'Clients', clients(count), { note: count && html`<a href="${to(view, 'sessions')}">Sessions</a>` })}
</div>
${section('latest', 'Latest', happenings(view, view.activity?.latest.slice(0, LATEST) ?? []), {
	note: html`<a href="${to(view, 'activity')}">Activity</a>`,
})}
`,
	};
};

function tiles(view: View, beat: Beat, count: Count | undefined): Html {
	const sums = sumsOf(beat.nodes);
	const history = (name: DrawnCount) => beat.history.map((sum) => sum[name]);
	return html`${storeTile(beat)}${nodesTile(beat)}
${tile('Sessions', sessionsText(count, sums.sessions), {
	below: count === undefined ? 'on the nodes' : `${counted(count.suspended)} suspended`,
	drawn: line(history('sessions')),
})}
${tile('Streams', counted(sums.connections), { below: 'open', drawn: line(history('connections')) })}
${tile('Running', counted(sums.requestsInFlight), { below: 'calls now', drawn: line(history('requestsInFlight')) })}
${tile('Waiting', counted(sums.requestsWaiting), { below: 'for clients', drawn: line(history('requestsWaiting')) })}
${errorsTile(view)}`;
}

function sessionsText(count: Count | undefined, onNodes: number): string {
	if (count === undefined) return counted(onNodes);
	return `${count.isPartial ? 'over ' : ''}${counted(count.sessions - count.suspended)}`;
}

function storeTile({ storeError, storeMs }: Beat): Html {
	if (storeError !== undefined) return tile('Store', 'Away', { tone: 'bad', below: storeError });
	const tone = storeMs < 50 ? 'good' : 'warn';
	return tile('Store', storeMs < 1 ? '<1 ms' : `${Math.round(storeMs)} ms`, {
		tone,
		below: tone === 'good' ? 'answers' : 'is slow',
	});
}

function nodesTile({ nodes, gone }: Beat): Html {
	const draining = nodes.filter(({ state }) => state === 'draining').length;
	const lost = gone.filter(({ record }) => record.state !== 'draining').length;
	const below = [lost > 0 && `${lost} gone`, draining > 0 && `${draining} draining`].filter((text) => text !== false);
	return tile('Nodes', counted(nodes.length - draining), {
		tone: lost > 0 ? 'bad' : draining > 0 ? 'warn' : 'good',
		below: below.length === 0 ? 'ready' : below.join(', '),
	});
}

function errorsTile({ activity }: View): Part {
	if (activity === undefined) return undefined;
	const errors = activity.minutes.map((minute) => minute.errors);
	const [before = 0, now = 0] = errors.slice(-2);
	return tile('Errors', counted(Math.max(before, now)), {
		below: 'a minute, here',
		drawn: line(errors, 'bad'),
		...(Math.max(before, now) > 0 && { tone: 'warn' }),
	});
}

function tile(name: string, value: string, more: { tone?: Tone; below?: string; drawn?: Html }): Html {
	const { tone = 'plain', below = '', drawn } = more;
	return html`<div class="tile ${tone}"><h2>${name}</h2><p class="value">${value}</p><p class="below">${below}</p>${drawn}</div>
`;
}

function clients(count: Count | undefined): Html {
	if (count === undefined) return html`<p class="empty">The store does not answer.</p>`;
	const rest = count.clients.slice(CLIENTS).reduce((sum, [, each]) => sum + each, 0);
	const shares = count.clients
		.slice(0, CLIENTS)
		.map(([name, each]) => ({ name: html`<bdi>${name}</bdi>`, count: each }));
	if (rest > 0) shares.push({ name: html`${plural(count.clients.length - CLIENTS, 'other client')}`, count: rest });
	return html`${bars(shares, 'No client has a session.')}
<p class="chips">${count.revisions.slice(0, 6).map(([revision, each]) => html`${pill('plain', `${revision} · ${counted(each)}`)} `)}</p>`;
}
