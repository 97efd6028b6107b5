import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PrometheusMetrics } from '@holdfast/telemetry/prometheus';
import type { ObservedEvent } from '@holdfast/transport';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { problems } from '../packages/transport/src/http/problems.ts';

const folder = fileURLToPath(new URL('../examples/deployments/', import.meta.url));
const { groups } = parse(readFileSync(`${folder}prometheus-rules.yaml`, 'utf8'));
const rules: { alert: string; expr: string }[] = groups.flatMap((group: { rules: object[] }) => group.rules);

/** Every metric with the labels that it has, as a node exports them. */
const exported = new Map<string, Set<string>>();
const stats = {
	sessions: 1,
	liveServers: 1,
	connections: 1,
	requestsInFlight: 1,
	requestsWaiting: 1,
	bodyBytes: 1,
};
const operation = { servedBy: 'server', method: 'tools/call', name: 'echo', protocolVersion: '2025-11-25' } as const;
const events = [
	{ type: 'operation-ended', operation, durationMs: 1, error: 'closed' },
	{ type: 'session-opened', sessionId: 's', protocolVersion: '2025-11-25', transport: 'http', clientInfo: {} },
	{ type: 'replay', kind: 'session', sessionId: 's' },
	{ type: 'gap', sessionId: 's' },
	{ type: 'store-call', manager: 'info', method: 'get', durationMs: 1, error: 'unavailable' },
	{ type: 'refusal', reason: 'internal', status: 500, httpMethod: 'POST', message: '' },
] as const;
const metrics = new PrometheusMetrics({ stats: () => [stats] });
for (const event of events) metrics.event(event as unknown as ObservedEvent);
for (const [, name = '', labels = ''] of metrics.text().matchAll(/^(\w+)(?:\{(.*)\})? /gm)) {
	const known = exported.get(name) ?? new Set();
	exported.set(name, known);
	for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
}

test('every alert asks for metrics and labels that a node exports', () => {
	expect(rules.length).toBeGreaterThan(8);
	for (const { alert, expr } of rules) {
		const asked = [...expr.matchAll(/\b((?:mcp|holdfast)_\w+)(?:\{([^}]*)\}|[[\s)]|$)/g)].filter(
			([, name = '']) => !isLabel(name),
		);
		expect(asked, alert).not.toEqual([]);
		for (const [, name = '', matchers = ''] of asked) {
			expect([...exported.keys()], alert).toContain(name);
			for (const [, label] of matchers.matchAll(/(\w+)\s*[=!]/g))
				expect([...(exported.get(name) ?? [])]).toContain(label);
		}
	}
});

test('every reason that an alert names is one with which requests are refused', () => {
	const reasons = rules.flatMap(({ expr }) => [...expr.matchAll(/holdfast_reason(=~?)"([^"]+)"/g)]);
	expect(reasons.length).toBeGreaterThan(3);
	for (const [, , reason = ''] of reasons) {
		expect(
			Object.keys(problems).some((name) => new RegExp(`^(${reason})$`).test(name)),
			reason,
		).toBe(true);
	}
});

test('the page says of every alert what to do', () => {
	const page = readFileSync(`${folder}README.md`, 'utf8');
	const explained = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
	expect(explained).toEqual(rules.map(({ alert }) => alert));
});

function isLabel(name: string): boolean {
	return [...exported.values()].some((labels) => labels.has(name));
}
