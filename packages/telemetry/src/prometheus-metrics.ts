import type { NodeStats, ObservedEvent, Observer } from '@holdfast/transport';
import { type Labels, Measure } from './measure.js';
import { gauges, type Metric, metrics } from './metrics.js';

/** Options of {@link PrometheusMetrics}. */
export interface PrometheusOptions {
	/**
	 * Returns `stats()` of each transport, for the gauges.
	 * @default absent: no gauges
	 */
	readonly stats?: () => readonly NodeStats[];
}

/** The `Content-Type` of {@link PrometheusMetrics.text}. */
export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** How many series a metric has at most; what belongs to further ones is counted in one without labels. */
const MAX_SERIES = 2_000;

interface Series {
	readonly labels: string;
	/** The sum of a histogram, or the value of a counter or a gauge. */
	sum: number;
	count: number;
	/** How many values were in each bucket, not in those before it. */
	readonly buckets: number[];
}

/**
 * Keeps the metrics of this process and writes them in the text format of Prometheus. It is an observer.
 *
 * @example
 * ```ts source="../test/examples/prometheus.examples.ts#serve"
 * const metrics = new PrometheusMetrics({ stats: () => [transport.stats()] });
 * const transport: HttpTransport = new HttpTransport(makeServer, { observe: metrics });
 * const scraped = createServer((_request, response) => {
 * 	response.writeHead(200, { 'content-type': PROMETHEUS_CONTENT_TYPE }).end(metrics.text());
 * });
 * scraped.listen(9464, '127.0.0.1');
 * ```
 */
export class PrometheusMetrics implements Observer {
	readonly #stats: (() => readonly NodeStats[]) | undefined;
	readonly #series = new Map<Metric, Map<string, Series>>();
	readonly #measure = new Measure((metric, value, labels) => this.#record(metric, value, labels));

	constructor({ stats }: PrometheusOptions = {}) {
		this.#stats = stats;
	}

	event(event: ObservedEvent): void {
		this.#measure.take(event);
	}

	/** Returns all metrics as text. */
	text(): string {
		const lines: string[] = [];
		for (const metric of Object.values(metrics) as Metric[]) this.#write(metric, lines);
		const nodes = this.#stats?.() ?? [];
		for (const [count, metric] of nodes.length === 0 ? [] : Object.entries(gauges)) {
			const name = head(metric, lines);
			lines.push(`${name} ${nodes.reduce((sum, node) => sum + node[count as keyof NodeStats], 0)}`);
		}
		return `${lines.join('\n')}\n`;
	}

	#record(metric: Metric, value: number, labels: Labels): void {
		const all = this.#series.get(metric) ?? new Map<string, Series>();
		this.#series.set(metric, all);
		let key = labelsOf(labels);
		if (!all.has(key) && all.size >= MAX_SERIES) key = '';
		const series = all.get(key) ?? { labels: key, sum: 0, count: 0, buckets: (metric.buckets ?? []).map(() => 0) };
		all.set(key, series);
		series.sum = metric.kind === 'gauge' ? value : series.sum + value;
		series.count++;
		const bucket = metric.buckets?.findIndex((bound) => value <= bound) ?? -1;
		if (bucket >= 0) series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
	}

	#write(metric: Metric, lines: string[]): void {
		const all = this.#series.get(metric);
		if (all === undefined) return;
		const name = head(metric, lines);
		for (const { labels, sum, count, buckets } of all.values()) {
			if (metric.kind !== 'histogram') {
				lines.push(`${name}${inBraces(labels)} ${sum}`);
				continue;
			}
			let below = 0;
			for (const [index, bound] of (metric.buckets ?? []).entries()) {
				below += buckets[index] ?? 0;
				lines.push(`${name}_bucket${inBraces(labels, `le="${bound}"`)} ${below}`);
			}
			lines.push(`${name}_bucket${inBraces(labels, 'le="+Inf"')} ${count}`);
			lines.push(`${name}_sum${inBraces(labels)} ${sum}`, `${name}_count${inBraces(labels)} ${count}`);
		}
	}
}

const suffixes = { histogram: '', counter: '_total', gauge: '' } as const;
const units: Readonly<Record<string, string>> = Object.freeze({ By: '_bytes', s: '_seconds' });

/** Writes what a metric is; returns its name. */
function head({ kind, name, unit, description }: Metric, lines: string[]): string {
	const written = `${plain(name)}${units[unit] ?? ''}${suffixes[kind]}`;
	lines.push(`# HELP ${written} ${description}`, `# TYPE ${written} ${kind}`);
	return written;
}

function labelsOf(labels: Labels): string {
	return Object.entries(labels)
		.map(([name, value]) => `${plain(name)}="${escaped(String(value))}"`)
		.sort()
		.join(',');
}

function inBraces(...labels: string[]): string {
	const written = labels.filter((label) => label !== '').join(',');
	return written === '' ? '' : `{${written}}`;
}

function plain(name: string): string {
	return name.replaceAll('.', '_');
}

function escaped(value: string): string {
	return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
