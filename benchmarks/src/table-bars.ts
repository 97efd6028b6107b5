import type { MeasuredTable } from './measurement.js';
import type { BarGroup } from './ratio-plot.js';

/** A column whose ratios are drawn: the beginning of the table's title, and the column. */
const drawn = [
	['`tools/call` of an echo tool on an established session, concurrency 16', 'of raw', 'Calls at concurrency 16'],
	['Sessions opened', 'of raw', 'Sessions opened'],
	['A broadcast to', 'of raw sockets, by CPU', 'Broadcast'],
] as const;

/** The bars of the main tables, with the numbers that the tables show. */
export function tableBars(tables: readonly MeasuredTable[]): BarGroup[] {
	return drawn.flatMap(([begins, column, title]) => {
		const table = tables.find((other) => other.title.startsWith(begins));
		if (table === undefined) return [];
		const [header = [], , ...rows] = table.markdown.split('\n').map(cellsOf);
		const at = header.indexOf(column);
		const bars = rows.flatMap((cells) => {
			const ratio = Number.parseFloat(cells[at] ?? '');
			const label = (cells[0] ?? '').replaceAll(/[*`]/g, '');
			return Number.isFinite(ratio) ? [{ label, ratio, ours: label.includes('Holdfast') }] : [];
		});
		return bars.length > 0 ? [{ title: `${title}, ${column}`, bars }] : [];
	});
}

function cellsOf(line: string): string[] {
	return line
		.split('|')
		.slice(1, -1)
		.map((cell) => cell.trim());
}
