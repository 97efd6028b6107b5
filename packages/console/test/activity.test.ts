import { Activity } from '@holdfast/console';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { ObservedEvent, Operation } from '@holdfast/transport';
import { expect, test } from 'vitest';

const operation: Operation = { servedBy: 'server', method: 'tools/call', requestId: 1 };
const refusal: ObservedEvent = {
	type: 'refusal',
	reason: 'sessionNotFound',
	status: 404,
	httpMethod: 'POST',
	message: '',
};

test('what is kept is bounded, whatever happens', () => {
	const activity = new Activity();
	for (let n = 0; n < 5_000; n++) {
		const sessionId = `session-${n}`;
		activity.event({ type: 'session-ended', sessionId, reason: `${n}${'r'.repeat(10_000)}` }, 'node');
		activity.event({ type: 'stream-opened', kind: 'session', sessionId }, 'node');
	}
	expect(activity.latest.length).toBeLessThanOrEqual(750);
	expect(activity.latest.every(({ text }) => text.length <= 200)).toBe(true);
	expect(activity.endedByReason.length).toBeLessThanOrEqual(51);
	expect(activity.endedByReason.reduce((sum, [, count]) => sum + count, 0)).toBe(5_000);
	expect(activity.streams.session).toBe(5_000);
});

test('what repeats itself does not drive out everything else', () => {
	const activity = new Activity();
	activity.event({ type: 'session-suspended', sessionId: 'one' }, 'node');
	for (let n = 0; n < 1_000; n++) activity.event(refusal, 'node');
	expect(activity.latest.map(({ kind }) => kind)).toEqual(['refused', 'suspended']);
});

test('operations and errors are counted by the minute; a cancelled call is no error', () => {
	const clock = new ManualClock(1_800_000_000_000);
	const activity = new Activity({ clock });
	const end = (error?: string) =>
		activity.event(
			{ type: 'operation-ended', operation, durationMs: 1, ...(error !== undefined && { error }) },
			'node',
		);
	end();
	end('tool_error');
	end('cancelled');
	clock.advance(60_000);
	end('-32603');
	expect(activity.minutes.slice(-2)).toEqual([
		{ operations: 3, errors: 1 },
		{ operations: 1, errors: 1 },
	]);
	clock.advance(3_600_000);
	expect(activity.minutes.every(({ operations }) => operations === 0)).toBe(true);
});

test('ids are not kept with what happened', () => {
	const activity = new Activity();
	activity.event({ type: 'audit', action: 'terminate', by: 'ann', sessionId: 'a-secret', at: 0, done: true }, 'node');
	activity.event({ type: 'takeover', sessionId: 'a-secret' }, 'node');
	expect(JSON.stringify(activity.latest)).not.toContain('a-secret');
	expect(activity.latest[1]).toMatchObject({ kind: 'audit', text: 'ann: terminate' });
});
