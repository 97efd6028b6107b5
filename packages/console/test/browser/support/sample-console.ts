import type { ConsoleTransport, OperatorConsoleOptions } from '@holdfast/console';
import type { Clock } from '@holdfast/session-manager';
import { shortHash } from '../../../src/data/short-hash.ts';
import { type ConsoleRig, recordOf, startConsole } from '../../support/console-rig.ts';

/** When everything of the sample happens: pages must be the same every time. */
const NOW = Date.UTC(2026, 10, 28, 21, 14, 9);
const MINUTE = 60_000;
const DAY = 86_400_000;

const clients = [
	'claude-code 2.4.1',
	'vscode 1.112.0',
	'cursor 3.1.0',
	'inspector 2.0.4',
	'mcp-remote 0.3.2',
	'codex 1.9.0',
];
const people = ['ann@example.com', 'bo@example.com', 'chris@example.com', 'dana@example.com', 'eli@example.com'];
const nodeIds = ['k3vQ9fXw2LtB', 'mZ7cR1pHn8Ya', 'uD4sJ6eKo0Gi'] as const;

/** How often the nodes announce themselves, every {@link STEP_MS}. */
const BEATS = 56;
const STEP_MS = 6_000;

/** A clock that shows how long it is until {@link NOW}. */
class SampleClock implements Clock {
	left = 3_600_000;

	now(): number {
		return NOW - this.left;
	}

	monotonic(): number {
		return 86_400_000 - this.left;
	}

	after(): () => void {
		return () => {};
	}
}

/** A console whose content is made up, and the same every time. */
export interface SampleConsole extends ConsoleRig {
	/** The short hash of a session with something of everything. */
	readonly hash: string;
	/** A person with sessions. */
	readonly principal: string;
}

/** Starts a console with a few hundred sessions on three nodes. */
export async function startSample(options: Partial<OperatorConsoleOptions> = {}): Promise<SampleConsole> {
	const clock = new SampleClock();
	const rig = await startConsole({
		clock,
		diagnose: async () => ({
			examined: ['redis://db.internal:6379/0', 'https://tools.example'],
			findings: [
				{
					code: 'redis-eviction',
					what: 'Redis may evict sessions: maxmemory-policy is allkeys-lru.',
					repair: 'Set maxmemory-policy to noeviction.',
				},
				{
					code: 'stream-buffered',
					what: 'The balancer holds back events of streams.',
					repair: 'Turn buffering off for the endpoint, such as with proxy_buffering off.',
				},
			],
		}),
		...options,
		transport: sampleTransport(() => rig),
	});
	fill(rig, clock);
	for (let beat = 0; beat < BEATS; beat++) {
		clock.left = (BEATS - beat) * STEP_MS + 24_000;
		announce(rig, beat);
		await fetch(`${rig.url}nodes`);
	}
	rig.info.announceNode({ ...node(2, BEATS), state: 'ready' }, 0);
	clock.left = 24_000;
	await fetch(`${rig.url}nodes`);
	for (let beat = 1; beat <= 4; beat++) {
		clock.left = 24_000 - beat * STEP_MS;
		announce(rig, BEATS + beat);
		await fetch(`${rig.url}nodes`);
	}
	return { ...rig, hash: shortHash('sample-0'), principal: principalOf(0) };
}

/** The nodes of the sample are those that are announced; the rig's own has a random name. */
function sampleTransport(rig: () => ConsoleRig): ConsoleTransport {
	return {
		nodeId: nodeIds[0],
		nodes: async () => [...rig().info.nodes()],
		terminate: (...args) => rig().transport.terminate(...args),
		suspend: (...args) => rig().transport.suspend(...args),
		get principals() {
			return rig().transport.principals;
		},
	};
}

function principalOf(n: number): string {
	return `https://id.example ${people[(n * n) % people.length]}`;
}

function fill({ info, activity }: ConsoleRig, clock: SampleClock): void {
	for (let n = 0; n < 340; n++) {
		const [name = '', version = ''] = (clients[Math.floor((n * n) / 7) % clients.length] ?? '').split(' ');
		const used = NOW - ((n * 37) % 1_700) * 1_000;
		const record = recordOf(`sample-${n}`, {
			principal: principalOf(n),
			createdAt: used - ((n * 91) % 7_000) * 1_000,
			lastUsedAt: used,
			endsAt: NOW + DAY,
			protocolVersion: n % 9 === 0 ? '2025-06-18' : '2025-11-25',
			...(n % 5 === 3 && { status: 'suspended' as const }),
		});
		const { initializeParams } = record;
		info.create({ ...record, initializeParams: { ...initializeParams, clientInfo: { name, version } } });
	}
	for (const uri of ['file:///reports/2026-q3.md', 'file:///reports/2026-q4.md', 'db://orders/open'])
		info.addSubscription('sample-0', uri);
	for (const [key, size] of [
		['cart', 412],
		['preferences', 96],
		['summary', 18_204],
	] as const)
		info.writeState('sample-0', key, '*', JSON.stringify('x'.repeat(size)));
	const node = nodeIds[0];
	const open = (n: number) => {
		clock.left -= 7_000 + ((n * 13) % 11) * 1_000;
		activity.event(
			{
				type: 'session-opened',
				sessionId: `sample-${n}`,
				protocolVersion: '2025-11-25',
				transport: 'http',
				clientInfo: info.read(`sample-${n}`)?.initializeParams['clientInfo'] as Record<string, string>,
			},
			nodeIds[n % 2] ?? node,
		);
	};
	const reasons = [
		...Array(9).fill('expired'),
		...Array(7).fill('the client ended it'),
		...Array(2).fill('the token expired'),
		'the account was closed',
	];
	for (let n = 0; n < 90; n++) {
		clock.left -= 30_000;
		activity.event({ type: 'session-ended', sessionId: `ended-${n}`, reason: reasons[(n * 7) % reasons.length] }, node);
	}
	clock.left = 240_000;
	for (let n = 1; n < 6; n++) open(n);
	activity.event({ type: 'takeover', sessionId: 'sample-4' }, node);
	clock.left -= 21_000;
	activity.event({ type: 'refusal', reason: 'sessionNotFound', status: 404, httpMethod: 'POST', message: '' }, node);
	clock.left -= 14_000;
	activity.event({ type: 'session-suspended', sessionId: 'sample-3' }, nodeIds[1]);
	clock.left = 62_000;
	const audit = {
		type: 'audit',
		action: 'terminate',
		by: 'ann',
		reason: 'the account was closed',
		done: true,
	} as const;
	activity.event({ ...audit, sessionId: 'ended-7', at: clock.now() }, node);
	clock.left = 51_000;
	open(0);
	activity.event({ type: 'stream-opened', kind: 'session', sessionId: 'sample-0' }, node);
	for (let n = 0; n < 23; n++)
		activity.event({ type: 'stream-opened', kind: 'session', sessionId: `sample-${n}` }, node);
	const operation = { servedBy: 'server', method: 'tools/call', requestId: 1 } as const;
	for (let n = 0; n < 3; n++)
		activity.event({ type: 'operation-ended', operation, durationMs: 4, error: 'tool_error' }, node);
}

function node(index: number, beat: number) {
	/** Looks as if it were chance. */
	const noise = (seed: number) => Math.abs(Math.sin((beat + 1) * 12.9898 + seed * 78.233) * 43_758.5453) % 1;
	const wave = Math.round(14 * Math.sin((beat + 9 * index) / 9) + 6 * Math.sin(beat / 3) + 3 * noise(index));
	return {
		id: nodeIds[index] ?? '',
		version: '3.8.0',
		address: `10.0.4.${17 + index}:3000`,
		startedAt: NOW - (3 - index) * DAY - 40 * MINUTE,
		counts: {
			sessions: 96 + wave,
			liveServers: 61 + wave,
			connections: 48 + Math.round(wave / 2),
			requestsInFlight: Math.round(3 + 3 * Math.sin(beat / 5 + index) + 5 * noise(index + 3)),
			requestsWaiting: Math.round(1.4 * noise(Math.floor(beat / 4) + index)),
		},
	} as const;
}

function announce({ info }: ConsoleRig, beat: number): void {
	for (const index of beat < BEATS ? [0, 1, 2] : [0, 1])
		info.announceNode({ ...node(index, beat), state: index === 1 && beat > BEATS ? 'draining' : 'ready' }, DAY);
}
