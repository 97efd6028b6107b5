import { createHash } from 'node:crypto';
import type { NodeStats, Observer, Operation } from '@holdfast/transport';
import {
	type Attributes,
	metrics as api,
	type Context,
	context,
	type Gauge,
	type Histogram,
	type Meter,
	type Counter as OtelCounter,
	propagation,
	ROOT_CONTEXT,
	type Span,
	SpanKind,
	SpanStatusCode,
	type TextMapPropagator,
	type Tracer,
	trace,
} from '@opentelemetry/api';
import { attribute } from './conventions.js';
import { errorAttributes, Measure, nameAttributes } from './measure.js';
import { gauges, type Metric, metrics } from './metrics.js';

/** Options of {@link openTelemetry}. */
export interface OpenTelemetryOptions {
	/**
	 * Where spans go.
	 * @default the tracer `@holdfast/telemetry` of the global provider
	 */
	readonly tracer?: Tracer;
	/**
	 * Where metrics go.
	 * @default the meter `@holdfast/telemetry` of the global provider
	 */
	readonly meter?: Meter;
	/**
	 * Reads the trace context that a client sends in `_meta`.
	 * @default the global propagator
	 */
	readonly propagator?: TextMapPropagator;
	/**
	 * Returns `stats()` of each transport, for the gauges.
	 * @default absent: no gauges
	 */
	readonly stats?: () => readonly NodeStats[];
}

const SCOPE = '@holdfast/telemetry';
/** The longest name of a tool in the name of a span, in characters. */
const MAX_NAME_LENGTH = 128;

/**
 * Returns an observer that records metrics and spans through `@opentelemetry/api`. Without an SDK in the process it
 * does nothing. The parent of a span is the trace context in the request's `_meta`, and the span that was active, such
 * as that of the HTTP request, is linked; without trace context, the active span is the parent. What a tool does runs
 * inside of its span.
 *
 * @example
 * ```ts source="../test/examples/open-telemetry.examples.ts#observe"
 * const transport: HttpTransport = new HttpTransport(makeServer, {
 * 	observe: openTelemetry({ stats: () => [transport.stats()] }),
 * });
 * ```
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Observer {
	const spans = new Spans(options.tracer ?? trace.getTracer(SCOPE), options.propagator ?? propagation);
	const meter = options.meter ?? api.getMeter(SCOPE);
	const measure = new Measure(recorderOf(meter));
	if (options.stats !== undefined) observeStats(meter, options.stats);
	return {
		event(event, nodeId) {
			measure.take(event);
			if (event.type === 'operation-started') spans.start(event.operation, nodeId);
			else if (event.type === 'operation-ended') spans.end(event.operation, event.error);
		},
		run: (operation, work) => spans.run(operation, work),
	};
}

function recorderOf(meter: Meter) {
	const histograms = new Map<Metric, Histogram>();
	const counters = new Map<Metric, OtelCounter>();
	const shown = new Map<Metric, Gauge>();
	for (const metric of Object.values(metrics) as Metric[]) {
		const { kind, name, unit, description, buckets } = metric;
		if (kind === 'counter') counters.set(metric, meter.createCounter(name, { unit, description }));
		else if (kind === 'gauge') shown.set(metric, meter.createGauge(name, { unit, description }));
		else {
			const advice = { explicitBucketBoundaries: [...(buckets ?? [])] };
			histograms.set(metric, meter.createHistogram(name, { unit, description, advice }));
		}
	}
	return (metric: Metric, value: number, labels: Attributes) => {
		counters.get(metric)?.add(value, labels);
		histograms.get(metric)?.record(value, labels);
		shown.get(metric)?.record(value, labels);
	};
}

function observeStats(meter: Meter, stats: () => readonly NodeStats[]): void {
	const observed = Object.entries(gauges).map(([count, { name, unit, description }]) => ({
		count: count as keyof NodeStats,
		counter: meter.createObservableUpDownCounter(name, { unit, description }),
	}));
	meter.addBatchObservableCallback(
		(result) => {
			const nodes = stats();
			for (const { count, counter } of observed)
				result.observe(
					counter,
					nodes.reduce((sum, node) => sum + node[count], 0),
				);
		},
		observed.map(({ counter }) => counter),
	);
}

/** One span for each operation. */
class Spans {
	readonly #tracer: Tracer;
	readonly #propagator: Pick<TextMapPropagator, 'extract'>;
	readonly #open = new WeakMap<Operation, { readonly span: Span; readonly inside: Context }>();

	constructor(tracer: Tracer, propagator: Pick<TextMapPropagator, 'extract'>) {
		this.#tracer = tracer;
		this.#propagator = propagator;
	}

	start(operation: Operation, nodeId: string): void {
		const { servedBy, method, name, requestId, sessionId, protocolVersion } = operation;
		const active = context.active();
		const { parent, links } = this.#parentOf(operation, active);
		const span = this.#tracer.startSpan(
			name === undefined ? method : `${method} ${name.slice(0, MAX_NAME_LENGTH)}`,
			{
				kind: servedBy === 'server' ? SpanKind.SERVER : SpanKind.CLIENT,
				links,
				attributes: {
					[attribute.method]: method,
					[attribute.requestId]: String(requestId),
					[attribute.networkTransport]: 'tcp',
					[attribute.networkProtocol]: 'http',
					[attribute.nodeId]: nodeId,
					...(protocolVersion !== undefined && { [attribute.protocolVersion]: protocolVersion }),
					...(sessionId !== undefined && { [attribute.sessionId]: hashed(sessionId) }),
					...nameAttributes(method, name),
				},
			},
			parent,
		);
		this.#open.set(operation, { span, inside: trace.setSpan(parent, span) });
	}

	/** Runs `work` inside of the operation's span. */
	run(operation: Operation, work: () => void): void {
		const open = this.#open.get(operation);
		if (open === undefined) work();
		else context.with(open.inside, work);
	}

	end(operation: Operation, error: string | undefined): void {
		const span = this.#open.get(operation)?.span;
		if (span === undefined) return;
		this.#open.delete(operation);
		if (error !== undefined) {
			span.setAttributes(errorAttributes(error));
			span.setStatus({ code: SpanStatusCode.ERROR });
		}
		span.end();
	}

	/** A request of the server belongs to what the server does; one of a client to what the client does. */
	#parentOf({ servedBy, meta }: Operation, active: Context) {
		if (servedBy === 'client' || typeof meta?.['traceparent'] !== 'string') return { parent: active, links: [] };
		const extracted = this.#propagator.extract(ROOT_CONTEXT, meta, getter);
		if (trace.getSpanContext(extracted) === undefined) return { parent: active, links: [] };
		const ambient = trace.getSpanContext(active);
		return { parent: extracted, links: ambient === undefined ? [] : [{ context: ambient }] };
	}
}

const getter = {
	keys: (carrier: object) => Object.keys(carrier),
	get(carrier: object, key: string): string | undefined {
		const value: unknown = Reflect.get(carrier, key);
		return typeof value === 'string' ? value : undefined;
	},
};

/** Whoever knows the id of a session may be able to use it; the same session has the same hash on every node. */
function hashed(sessionId: string): string {
	return createHash('sha256').update(sessionId).digest('hex').slice(0, 16);
}
