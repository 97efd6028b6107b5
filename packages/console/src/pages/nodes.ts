import type { NodeRecord } from '@holdfast/session-manager';
import type { Beat } from '../data/pulse.js';
import { type Column, section, table } from '../html/elements.js';
import { clipped, counted, moment, plural } from '../html/format.js';
import { type Html, html, type Part } from '../html/html.js';
import { heading, pageOf, status } from './parts.js';
import { type Handler, numberOf, to, type View } from './view.js';

/** How many nodes a page shows, and how many the first page does. */
const ROWS = 50;
const FIRST_ROWS = 6;

/** A row of the table: a node that is announced, or one that went at `goneAt`. */
interface Row {
	readonly record: NodeRecord;
	readonly goneAt?: number;
}

/** The nodes, and those that went lately. */
export const nodes: Handler = async (view) => {
	const beat = await view.pulse.look();
	return {
		title: 'Nodes',
		place: 'nodes',
		...(beat.storeError !== undefined && { status: 503 }),
		content: html`${heading('Nodes', 'A node announces itself every few seconds. One that hangs or was killed is missed within 15 seconds.')}
${section('nodes', plural(beat.nodes.length, 'node'), nodeTable(view, beat, false))}
`,
	};
};

/** Writes the nodes as a table; with `isShort` the first few of them, and what matters most. */
export function nodeTable(view: View, beat: Beat, isShort: boolean): Html {
	if (beat.storeError !== undefined && beat.nodes.length === 0)
		return html`<p class="empty">The store does not answer.</p>`;
	const rows: Row[] = [
		...beat.nodes.map((record) => ({ record })),
		...beat.gone.map(({ record, at }) => ({ record, goneAt: at })),
	];
	// What went is what matters most.
	const first = isShort ? [...rows].sort((one, other) => Number('goneAt' in other) - Number('goneAt' in one)) : rows;
	const from = isShort ? 0 : numberOf(view, 'from');
	const { items, pager } = pageOf(first, from, isShort ? FIRST_ROWS : ROWS, (start) =>
		to(view, 'nodes', { from: start || undefined }),
	);
	const columns = columnsOf(view, beat).filter(({ title }) => !isShort || shortColumns.has(title));
	return html`${table('Nodes', columns, items, 'No node announces itself.')}${!isShort && pager}`;
}

const shortColumns: ReadonlySet<string> = new Set(['Node', 'State', 'Sessions', 'Streams', 'Running']);

function columnsOf(view: View, beat: Beat): Column<Row>[] {
	const number = (title: string, name: string): Column<Row> => ({
		title,
		kind: 'number',
		cell: ({ record, goneAt }) => (goneAt === undefined ? countOf(record, name) : html`<span class="none">–</span>`),
	});
	const hasAddress = beat.nodes.some(({ address }) => address !== undefined);
	return [
		{ title: 'Node', kind: 'main', cell: ({ record }) => nodeName(view, record) },
		{ title: 'State', cell: (row) => stateOf(row, view.now) },
		{ title: 'Version', cell: ({ record }) => clipped(record.version, 40) },
		...(hasAddress
			? [
					{
						title: 'Address',
						cell: ({ record }: Row) => html`<bdi class="whole">${clipped(record.address ?? '–', 32)}</bdi>`,
					},
				]
			: []),
		{ title: 'Started', cell: ({ record }) => moment(record.startedAt, view.now) },
		number('Sessions', 'sessions'),
		number('Servers', 'liveServers'),
		number('Streams', 'connections'),
		number('Running', 'requestsInFlight'),
		number('Waiting', 'requestsWaiting'),
	];
}

function nodeName({ transport }: View, { id }: NodeRecord): Part {
	return html`<span class="id">${clipped(id, 24)}</span>${id === transport.nodeId && html` <span class="from">this node</span>`}`;
}

function stateOf({ record, goneAt }: Row, now: number): Html {
	if (goneAt === undefined) return status(record.state);
	return html`${status(record.state === 'draining' ? 'left' : 'gone')} ${moment(goneAt, now)}`;
}

function countOf({ counts }: NodeRecord, name: string): string {
	const count = counts[name];
	return count === undefined ? '–' : counted(count);
}
