/** One bar: whose ratio it is, and whether it is Holdfast's. */
export interface Bar {
	readonly label: string;
	readonly ratio: number;
	readonly ours: boolean;
}

/** The bars of one subject: each is a ratio to the limit of the machine. */
export interface BarGroup {
	readonly title: string;
	readonly bars: readonly Bar[];
}

const [WIDTH, LABELS, ROW, BAR, TITLE] = [760, 330, 22, 14, 34];
/** Room for the number behind the longest bar. */
const NUMBER = 60;

/** Draws bars as SVG that can be read on light and on dark backgrounds. */
export function ratioPlot(groups: readonly BarGroup[]): string {
	let y = 0;
	const parts: string[] = [];
	for (const { title, bars } of groups) {
		const most = Math.max(...bars.map(({ ratio }) => ratio));
		parts.push(`<text class="title" x="0" y="${y + 20}">${escaped(title)}</text>`);
		y += TITLE;
		for (const { label, ratio, ours } of bars) {
			const width = ((WIDTH - LABELS - NUMBER) * ratio) / most;
			const line = y + BAR - 3;
			parts.push(
				`<text class="label" x="${LABELS - 8}" y="${line}">${escaped(label)}</text>`,
				`<rect class="${ours ? 'ours' : 'other'}" x="${LABELS}" y="${y}" width="${width.toFixed(1)}" height="${BAR}"/>`,
				`<text x="${(LABELS + width + 6).toFixed(1)}" y="${line}">${ratio.toFixed(3)}</text>`,
			);
			y += ROW;
		}
		y += ROW / 2;
	}
	const size = `width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}"`;
	return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${escaped(spoken(groups))}">
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.label { text-anchor: end }
.ours { fill: #1f6feb }
.other { fill: #8b949e }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
</style>
${parts.join('\n')}
</svg>
`;
}

function spoken(groups: readonly BarGroup[]): string {
	return groups
		.map(({ title, bars }) => `${title}: ${bars.map(({ label, ratio }) => `${label} ${ratio.toFixed(3)}`).join(', ')}`)
		.join('. ');
}

function escaped(text: string): string {
	return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
