import { createServer } from 'node:http';
import { type ConversationEvent, Conversations, InMemoryConversationStore } from '@holdfast/conversations';
import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { openTelemetry } from '@holdfast/telemetry';
import type { ObservedEvent } from '@holdfast/transport';
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
	AggregationTemporality,
	InMemoryMetricExporter,
	MeterProvider,
	type MetricData,
	PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { at, openNodes } from '../../../test/support/nodes.ts';
import { Rig, type RigOptions } from '../../../test/support/rig.ts';
import type { Tool } from '../../../test/support/servers.ts';

const [door] = doors as [(typeof doors)[number]];
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const traceparent = `00-${TRACE_ID}-${CALLER}-01`;

beforeAll(() => {
	context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => context.disable());

/** A real SDK whose spans and metrics stay in memory. */
function sdk() {
	const spans = new InMemorySpanExporter();
	const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
	const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
	const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
	const meters = new MeterProvider({ readers: [reader] });
	onTestFinished(async () => {
		await Promise.all([tracers.shutdown(), meters.shutdown()]);
	});
	return {
		spans,
		tracer: tracers.getTracer('test'),
		options: {
			tracer: tracers.getTracer('test'),
			meter: meters.getMeter('test'),
			propagator: new W3CTraceContextPropagator(),
		},
		/** What was measured so far, by name. */
		async metrics(): Promise<ReadonlyMap<string, MetricData>> {
			exporter.reset();
			await reader.forceFlush();
			const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
			return new Map(all.map((metric) => [metric.descriptor.name, metric]));
		},
	};
}

const failing: Tool = async () => {
	throw new Error('It failed.');
};
const asking: Tool = async ({ here }) => JSON.stringify(await here.roots());

describe('spans', () => {
	const open = async (options: RigOptions = {}) => {
		const memory = sdk();
		/** Says to whom a span of the tool's own belongs. */
		const own: Tool = async () => {
			await Promise.resolve();
			memory.tracer.startSpan('own work').end();
			return '';
		};
		const rig = await Rig.open(door, {
			...options,
			observe: openTelemetry(memory.options),
			tools: { failing, asking, own, ...options.tools },
		});
		const named = (name: string) => memory.spans.getFinishedSpans().find((span) => span.name === name);
		return { ...memory, rig, named };
	};

	it('have the names and attributes of the conventions', async () => {
		const { rig, named } = await open();
		const client = await rig.session();
		await client.ask('echo', { text: 'secret' });
		const span = named('tools/call echo');
		expect(span?.kind).toBe(SpanKind.SERVER);
		expect(span?.attributes).toEqual({
			'mcp.method.name': 'tools/call',
			'mcp.protocol.version': '2025-11-25',
			'mcp.session.id': expect.stringMatching(/^[0-9a-f]{16}$/),
			'jsonrpc.request.id': '1',
			'gen_ai.operation.name': 'execute_tool',
			'gen_ai.tool.name': 'echo',
			'network.transport': 'tcp',
			'network.protocol.name': 'http',
			'holdfast.node.id': rig.transport.nodeId,
		});
		expect(span?.status.code).toBe(SpanStatusCode.UNSET);
		expect(named('initialize')).toBeDefined();
	});

	it('say how a call failed', async () => {
		const { rig, named } = await open();
		const client = await rig.session();
		await (await client.call('failing')).text();
		await (await client.request('no/such')).text();
		expect(named('tools/call failing')?.status.code).toBe(SpanStatusCode.ERROR);
		expect(named('tools/call failing')?.attributes).toMatchObject({ 'error.type': 'tool_error' });
		expect(named('no/such')?.attributes).toMatchObject({
			'error.type': '-32601',
			'rpc.response.status_code': '-32601',
		});
	});

	it('have the trace context of the request as parent, and link the span that was active', async () => {
		const { rig, named, tracer } = await open();
		const client = await rig.session();
		const http = tracer.startSpan('POST /mcp');
		const server = createServer((request, response) =>
			// As the instrumentation of node:http does: events of the request belong to its span, too.
			context.with(trace.setSpan(ROOT_CONTEXT, http), () =>
				rig.transport.handle(context.bind(context.active(), request), response),
			),
		);
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		onTestFinished(() => {
			server.close();
		});
		const { port } = server.address() as { readonly port: number };
		const call = (meta?: object) =>
			fetch(`http://127.0.0.1:${port}/mcp`, {
				method: 'POST',
				headers: {
					accept: 'application/json, text/event-stream',
					'content-type': 'application/json',
					...client.headers,
				},
				body: JSON.stringify({
					jsonrpc: '2.0',
					id: 7,
					method: 'tools/call',
					params: { name: 'own', arguments: {}, ...(meta && { _meta: meta }) },
				}),
			}).then((response) => response.text());
		await call({ traceparent });
		const span = named('tools/call own');
		expect(span?.spanContext().traceId).toBe(TRACE_ID);
		expect(span?.parentSpanContext?.spanId).toBe(CALLER);
		expect(span?.links.map((link) => link.context.spanId)).toEqual([http.spanContext().spanId]);
		expect(named('own work')?.parentSpanContext?.spanId).toBe(span?.spanContext().spanId);
	});

	it('have the span that was active as parent where the request names none, or nonsense', async () => {
		const { rig, spans, tracer } = await open();
		const client = await rig.session();
		const http = tracer.startSpan('POST /mcp');
		for (const meta of [undefined, { traceparent: 'nonsense' }, { traceparent: 5 }]) {
			spans.reset();
			const params = { name: 'echo', arguments: { text: '' }, ...(meta && { _meta: meta }) };
			await context.with(trace.setSpan(ROOT_CONTEXT, http), async () => {
				const body = JSON.stringify({ jsonrpc: '2.0', id: 9, method: 'tools/call', params });
				const request = new Request('http://localhost/mcp', {
					method: 'POST',
					headers: {
						accept: 'application/json, text/event-stream',
						'content-type': 'application/json',
						...client.headers,
					},
					body,
				});
				await (await rig.transport.respond(request))?.text();
			});
			expect(spans.getFinishedSpans().map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([
				http.spanContext().spanId,
			]);
		}
	});

	it('of requests of the server are of kind CLIENT, below the call that asks', async () => {
		const { rig, named } = await open();
		const client = await rig.session({ capabilities: { roots: {} } });
		const stream = await client.call('asking', {}, { traceparent });
		await client.reply((await stream.message(0)).id, { roots: [] });
		await stream.ended();
		const [question, call] = [named('roots/list'), named('tools/call asking')];
		expect(question?.kind).toBe(SpanKind.CLIENT);
		expect(question?.parentSpanContext?.spanId).toBe(call?.spanContext().spanId);
		expect(question?.spanContext().traceId).toBe(TRACE_ID);
	});
});

it('one trace covers what two nodes do for one client', async () => {
	const spans = new InMemorySpanExporter();
	const options = () => {
		const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
		return { tracer: provider.getTracer('node'), propagator: new W3CTraceContextPropagator() };
	};
	const clock = new ManualClock(1_000_000);
	const streams = new InMemoryStreamSessionManager({ clock });
	const info = new InMemoryInfoSessionManager({ clock });
	const shared = { tools: { asking }, clock, sessionManager: { streams, info } };
	const a = await Rig.open(door, { ...shared, observe: openTelemetry(options()) });
	const b = await Rig.open(door, { ...shared, observe: openTelemetry(options()) });
	const client = await a.session({ capabilities: { roots: {} } });
	await (await client.call('echo', { text: '' }, { traceparent })).text();
	const stream = await at(b, client).call('asking', {}, { traceparent });
	// The answer arrives at the other node.
	await client.reply((await stream.message(0)).id, { roots: [] });
	await stream.ended();
	const traced = spans.getFinishedSpans().filter((span) => span.spanContext().traceId === TRACE_ID);
	expect(traced.map(({ name, attributes }) => [name, attributes['holdfast.node.id']])).toEqual([
		['tools/call echo', a.transport.nodeId],
		['roots/list', b.transport.nodeId],
		['tools/call asking', b.transport.nodeId],
	]);
	expect(new Set(traced.map(({ attributes }) => attributes['mcp.session.id'])).size).toBe(1);
	expect(new Set(traced.map((span) => span.spanContext().spanId)).size).toBe(3);
});

describe('metrics', () => {
	it('count and time operations, sessions, streams, refusals and the store, by the names of the conventions', async () => {
		const memory = sdk();
		const rig: Rig = await Rig.open(door, {
			observe: openTelemetry({ ...memory.options, stats: () => [rig.transport.stats()] }),
		});
		const client = await rig.session();
		await client.get();
		await client.ask('echo', { text: '' });
		await rig.post({ jsonrpc: '2.0', id: 1, method: 'ping' });
		const metrics = await memory.metrics();
		const operations = metrics.get('mcp.server.operation.duration');
		expect(operations?.descriptor.unit).toBe('s');
		expect(operations?.dataPoints.map(({ attributes }) => attributes)).toContainEqual({
			'mcp.method.name': 'tools/call',
			'gen_ai.operation.name': 'execute_tool',
			'gen_ai.tool.name': 'echo',
			'mcp.protocol.version': '2025-11-25',
			'network.transport': 'tcp',
			'network.protocol.name': 'http',
		});
		expect(operations?.dataPoints[0]?.value).toMatchObject({
			buckets: { boundaries: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300] },
		});
		const value = (name: string) => metrics.get(name)?.dataPoints[0]?.value;
		expect([value('holdfast.session.active'), value('holdfast.stream.open')]).toEqual([1, 1]);
		expect([value('holdfast.session.opened'), value('holdfast.stream.opened')]).toEqual([1, 1]);
		expect(metrics.get('holdfast.request.refused')?.dataPoints[0]).toMatchObject({
			value: 1,
			attributes: { 'holdfast.reason': 'missingSessionId', 'http.response.status_code': 400 },
		});
		expect(metrics.has('holdfast.store.operation.duration')).toBe(true);
		rig.clock.advance(3_600_000);
		await client.delete();
		const session = (await memory.metrics()).get('mcp.server.session.duration')?.dataPoints[0];
		expect(session?.value).toMatchObject({ count: 1, sum: 3_600 });
	});

	it('have no session, principal or request as an attribute, on one node or two', async () => {
		const memory = sdk();
		const { a, b } = await openNodes(door, {
			observe: openTelemetry(memory.options),
			authInfo: {
				token: 't',
				clientId: 'c',
				scopes: [],
				extra: { iss: 'https://issuer.example', sub: 'ann-who-calls' },
			},
			tools: { failing },
		});
		const client = await a.session();
		await client.get();
		await at(b, client).get();
		await (await at(b, client).call('failing')).text();
		await b.transport.suspend(client.id);
		await a.transport.terminate(client.id, 'ann-who-calls was here');
		const text = JSON.stringify([...(await memory.metrics()).values()].map(({ dataPoints }) => dataPoints));
		for (const secret of [client.id, 'ann-who-calls', 'mcp.session.id']) expect(text).not.toContain(secret);
	});

	it('have a bounded number of values of each attribute, whatever clients send', async () => {
		const memory = sdk();
		const observer = openTelemetry(memory.options);
		const ended = (method: string, name: string, error?: string): ObservedEvent => ({
			type: 'operation-ended',
			operation: { servedBy: 'server', method, name, requestId: 1 },
			durationMs: 1,
			...(error !== undefined && { error }),
		});
		for (let n = 0; n < 1_000; n++) {
			observer.event?.(ended('tools/call', `made-up-${n}`, 'tool_error'), 'n');
			observer.event?.(ended(`made/up-${n}`, ''), 'n');
			observer.event?.(ended('ping', '', String(n)), 'n');
			observer.event?.(ended('tools/call', `real-${n}`), 'n');
			observer.event?.({ type: 'session-ended', sessionId: 's', reason: `because ${n}` }, 'n');
		}
		const metrics = await memory.metrics();
		const names = metrics.get('mcp.server.operation.duration')?.dataPoints.map(({ attributes }) => attributes) ?? [];
		const distinct = (name: string) => new Set(names.map((attributes) => attributes[name])).size;
		expect(distinct('gen_ai.tool.name')).toBeLessThanOrEqual(202);
		expect(distinct('mcp.method.name')).toBeLessThanOrEqual(3);
		expect(distinct('error.type')).toBeLessThanOrEqual(52);
		expect(JSON.stringify(names)).not.toContain('made-up');
		expect(metrics.get('holdfast.session.ended')?.dataPoints).toHaveLength(1);
	});
});

it('conversations are observed by the same observer', async () => {
	const { options, metrics } = sdk();
	const observe = openTelemetry(options);
	const conversations = new Conversations(new InMemoryConversationStore(), { observe });
	onTestFinished(() => conversations.close());
	const alice = conversations.of('alice');
	await alice.create({ id: 'one', title: 'One' });
	await expect(alice.create({ id: 'one', title: 'Again' })).rejects.toThrow();
	await conversations.stats();
	const all = await metrics();
	const points = (name: string) => all.get(name)?.dataPoints.map(({ value, attributes }) => ({ value, attributes }));
	expect(points('holdfast.conversation.created')).toEqual([{ value: 1, attributes: {} }]);
	expect(points('holdfast.conversation.create.duration')).toMatchObject([
		{ value: { count: 1 }, attributes: {} },
		{ value: { count: 1 }, attributes: { 'error.type': 'taken' } },
	]);
	expect(points('holdfast.conversation.count')?.[0]).toEqual({
		value: 1,
		attributes: { 'holdfast.conversation.state': 'active' },
	});
	// What conversations tell is among what an observer of a transport hears.
	const event: ObservedEvent = { type: 'conversation-created', durationMs: 1 } satisfies ConversationEvent;
	expect(event.type).toBe('conversation-created');
});
