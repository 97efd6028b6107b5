import { Conversations, InMemoryConversationStore } from '@holdfast/conversations';
import { ManualClock } from '@holdfast/session-manager/testing';
import { PROMETHEUS_CONTENT_TYPE, PrometheusMetrics } from '@holdfast/telemetry/prometheus';
import parse, { type ParsedMetric } from 'parse-prometheus-text-format';
import { describe, expect, it, onTestFinished } from 'vitest';
import { doors } from '../../../test/support/doors.ts';
import { at, openNodes } from '../../../test/support/nodes.ts';
import { Rig } from '../../../test/support/rig.ts';

const [door] = doors as [(typeof doors)[number]];

/** What the text says to a parser that others wrote, by name. */
function read(metrics: PrometheusMetrics): ReadonlyMap<string, ParsedMetric> {
	return new Map(parse(metrics.text()).map((metric) => [metric.name, metric]));
}

/** Every sample of a metric; this parser joins the series of a histogram unless it takes each sample for itself. */
function samples(metrics: PrometheusMetrics, name: string): { value: number; labels: Record<string, string> }[] {
	const parsed = parse(metrics.text().replaceAll(/^#.*\n/gm, ''));
	const found = parsed.filter((metric) => metric.name === name).flatMap((metric) => metric.metrics);
	return found.map(({ value, labels }) => ({ value: Number(value), labels: { ...labels } }));
}

/** The buckets of a histogram by their bounds, of the series with these labels. */
function buckets(metrics: PrometheusMetrics, name: string, labels: Record<string, string> = {}) {
	return Object.fromEntries(
		samples(metrics, `${name}_bucket`).flatMap(({ value, labels: { le = '', ...others } }) =>
			Object.entries(labels).every(([label, wanted]) => others[label] === wanted) ? [[le, value]] : [],
		),
	);
}

const DURATION = 'mcp_server_operation_duration_seconds';

describe('the text of Prometheus', () => {
	it('says what a node does, to a parser that others wrote', async () => {
		const metrics: PrometheusMetrics = new PrometheusMetrics({ stats: () => [rig.transport.stats()] });
		const rig: Rig = await Rig.open(door, { observe: metrics });
		const client = await rig.session();
		await client.get();
		for (let n = 0; n < 3; n++) await client.ask('echo', { text: '' });
		await rig.post({ jsonrpc: '2.0', id: 1, method: 'ping' });
		const all = read(metrics);
		expect(all.get(DURATION)).toMatchObject({ type: 'HISTOGRAM', help: 'How long requests of clients took.' });
		const labels = {
			gen_ai_operation_name: 'execute_tool',
			gen_ai_tool_name: 'echo',
			mcp_method_name: 'tools/call',
			mcp_protocol_version: '2025-11-25',
			network_protocol_name: 'http',
			network_transport: 'tcp',
		};
		expect(samples(metrics, `${DURATION}_count`)).toContainEqual({ value: 3, labels });
		expect(samples(metrics, `${DURATION}_sum`)).toContainEqual({ value: 0, labels });
		expect(buckets(metrics, DURATION, { gen_ai_tool_name: 'echo' })).toMatchObject({ 0.01: 3, 300: 3, '+Inf': 3 });
		expect(all.get('holdfast_request_refused_total')).toMatchObject({
			type: 'COUNTER',
			metrics: [{ value: '1', labels: { holdfast_reason: 'missingSessionId', http_response_status_code: '400' } }],
		});
		expect(all.get('holdfast_stream_open')).toMatchObject({ type: 'GAUGE', metrics: [{ value: '1' }] });
		expect(all.get('holdfast_request_body_size_bytes')?.type).toBe('GAUGE');
		expect(PROMETHEUS_CONTENT_TYPE).toMatch(/^text\/plain; version=0\.0\.4/);
	});

	it('has cumulative buckets', () => {
		const metrics = new PrometheusMetrics();
		for (const durationMs of [5, 5, 15, 1_500, 1e9])
			metrics.event({
				type: 'operation-ended',
				operation: { servedBy: 'server', method: 'ping', requestId: 1 },
				durationMs,
			});
		expect(buckets(metrics, DURATION)).toMatchObject({ 0.01: 2, 0.02: 3, 1: 3, 2: 4, 300: 4, '+Inf': 5 });
		expect(samples(metrics, `${DURATION}_sum`)[0]?.value).toBeCloseTo(1_000_001.525);
	});

	it('is read whatever a tool is called', () => {
		const metrics = new PrometheusMetrics();
		const name = 'a "quoted" \\ name\nof {two=lines}, ä€😀';
		const operation = { servedBy: 'server', method: 'tools/call', name, requestId: 1 } as const;
		metrics.event({ type: 'operation-ended', operation, durationMs: 1 });
		expect(samples(metrics, `${DURATION}_count`)[0]?.labels).toMatchObject({ gen_ai_tool_name: name });
	});

	it('names no session and no principal, and is the sum of two nodes that share it', async () => {
		const metrics = new PrometheusMetrics();
		const { a, b } = await openNodes(door, {
			observe: metrics,
			authInfo: {
				token: 't',
				clientId: 'c',
				scopes: [],
				extra: { iss: 'https://issuer.example', sub: 'ann-who-calls' },
			},
		});
		const client = await a.session();
		await client.ask('echo', { text: '' });
		await at(b, client).ask('echo', { text: '' });
		await a.transport.terminate(client.id, 'ann-who-calls was here');
		const text = metrics.text();
		for (const secret of [client.id, 'ann-who-calls', 'session_id']) expect(text).not.toContain(secret);
		expect(samples(metrics, `${DURATION}_count`).map(({ value }) => value)).toEqual([1, 2]);
		expect(read(metrics).get('holdfast_session_ended_total')?.metrics).toMatchObject([
			{ value: '1', labels: { holdfast_reason: 'other' } },
		]);
	});

	it('stays bounded, whatever clients send', () => {
		const metrics = new PrometheusMetrics();
		for (let n = 0; n < 10_000; n++) {
			const operation = { servedBy: 'server', method: 'tools/call', name: `t${n % 300}`, requestId: n } as const;
			const error = n < 300 ? undefined : String(n);
			metrics.event({ type: 'operation-ended', operation, durationMs: 1, ...(error !== undefined && { error }) });
		}
		const series = samples(metrics, `${DURATION}_count`);
		expect(series.length).toBeLessThanOrEqual(2_001);
		expect(series.reduce((sum, { value }) => sum + value, 0)).toBe(10_000);
	});

	it('has the figures of conversations: created, time and errors; how many, how large and how old', async () => {
		const metrics = new PrometheusMetrics();
		const clock = new ManualClock(1);
		const conversations = new Conversations(new InMemoryConversationStore(), { clock, observe: metrics });
		onTestFinished(() => conversations.close());
		const alice = conversations.of('alice');
		await (await alice.create({ id: 'one', title: 'One' })).suspend();
		await (await alice.create({ id: 'two', title: 'Two' })).addMessage({ role: 'user', content: 'x'.repeat(1_000) });
		await expect(alice.create({ id: 'one', title: 'Again' })).rejects.toThrow();
		clock.advance(60_000);
		await conversations.stats();
		// A gauge shows what was counted last.
		const { averageBytes } = await conversations.stats();
		const only = (name: string) => samples(metrics, name).map(({ value, labels }) => [value, ...Object.values(labels)]);
		expect(only('holdfast_conversation_created_total')).toEqual([[2]]);
		expect(only('holdfast_conversation_create_duration_seconds_count')).toEqual([[2], [1, 'taken']]);
		expect(only('holdfast_conversation_count')).toEqual([
			[1, 'active'],
			[1, 'suspended'],
			[0, 'terminated'],
		]);
		expect(only('holdfast_conversation_size_bytes')).toEqual([[averageBytes]]);
		expect(averageBytes).toBeGreaterThan(500);
		expect(only('holdfast_conversation_oldest_age_seconds')).toEqual([[60]]);
		expect(read(metrics).get('holdfast_conversation_count')?.type).toBe('GAUGE');
		expect(metrics.text()).not.toContain('alice');
	});
});
