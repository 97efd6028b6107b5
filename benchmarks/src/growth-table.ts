import { markdownTable } from './markdown-table.js';
import type { MeasuredTable } from './measurement.js';

/** What something costs at each size; a text says why there is no number. */
export interface GrowthRow {
	readonly title: string;
	readonly costs: readonly (number | string | undefined)[];
	readonly digits?: number;
	/** Not compared: it grows by its nature, or the smallest size is too small to measure it well. */
	readonly unjudged?: true;
}

/** Beyond this ratio to the smallest size a cost counts as growing. */
const GROWS = 1.25;

/**
 * A table of costs of each thing at ascending sizes, in parentheses the ratio to the smallest size where they are compared. `bend` says what
 * makes a cost grow; the costs that did are named before it.
 */
export function growthTable(
	title: string,
	what: string,
	sizes: readonly number[],
	rows: readonly GrowthRow[],
	bend: string,
): MeasuredTable {
	const header = ['', ...sizes.map((size) => `${size.toLocaleString('en')} ${what}`)];
	const grown = rows.flatMap(({ title, costs, unjudged }) => {
		if (unjudged) return [];
		const most = Math.max(1, ...costs.map((cost) => ratioOf(cost, costs) ?? 1));
		return most > GROWS ? [`${title} (× ${most.toFixed(2)})`] : [];
	});
	const found =
		grown.length === 0
			? `Nothing costs more than ${GROWS} times what it costs at the smallest size.`
			: `More than ${GROWS} times what it costs at the smallest size: ${grown.join('; ')}.`;
	return {
		title,
		markdown: markdownTable(
			header,
			rows.map((row) => [row.title, ...row.costs.map((cost) => cell(cost, row))]),
		),
		rows: rows.map((row) => row.title),
		note: `${found} ${bend}`,
	};
}

function cell(cost: number | string | undefined, { costs, unjudged, digits = 1 }: GrowthRow): string {
	if (typeof cost === 'string') return cost;
	if (cost === undefined || !Number.isFinite(cost)) return '–';
	const ratio = unjudged ? undefined : ratioOf(cost, costs);
	return cost.toFixed(digits) + (ratio === undefined ? '' : ` (${ratio.toFixed(2)})`);
}

/** The ratio of a cost to the first one that there is; none for what costs next to nothing. */
function ratioOf(cost: number | string | undefined, costs: GrowthRow['costs']): number | undefined {
	const first = costs.find((other) => typeof other === 'number' && Number.isFinite(other));
	if (typeof cost !== 'number' || typeof first !== 'number' || !Number.isFinite(cost) || first < 0.1) return undefined;
	return cost / first;
}
