import { InMemoryInfoSessionManager, Session } from '@holdfast/session-manager';
import { isLogLevel, LOG_LEVELS } from '@holdfast/session-manager/custom';
import type { SessionHome } from '@holdfast/session-manager/internal';
import { describe, expect, it } from 'vitest';
import { sampleRecord } from './sample-record.ts';

function open(given: Parameters<typeof sampleRecord>[1] = {}) {
	const info = new InMemoryInfoSessionManager();
	const record = sampleRecord('s', given);
	info.create(record);
	const terminated: string[][] = [];
	const home: SessionHome = {
		info,
		async terminate(id, reason) {
			terminated.push([id, reason]);
		},
	};
	return { info, record, terminated, session: new Session(record, home) };
}

describe('a session', () => {
	it('shows what was stored of it', () => {
		const claims = { sub: 'alice', scopes: ['read'] };
		const { session, record } = open({ principal: 'issuer|alice', claims, logLevel: 'error' });
		expect(session.id).toBe('s');
		expect(session.principal).toBe('issuer|alice');
		expect(session.claims).toEqual(claims);
		expect(session.clientInfo).toEqual(record.initializeParams.clientInfo);
		expect(session.clientCapabilities).toEqual(record.initializeParams.capabilities);
		expect(session.protocolVersion).toBe('2025-11-25');
		expect(session.logLevel).toBe('error');
	});

	it('of an anonymous client has no principal, no claims and no log level', () => {
		const { session } = open();
		expect([session.principal, session.claims, session.logLevel]).toEqual([undefined, undefined, undefined]);
	});

	it('shows what the store says now once it is refreshed, and goes on with the same state and signal', async () => {
		const { session, record } = open();
		const { signal, state } = session;
		await state.set('key', 1);
		session.refresh({ ...record, logLevel: 'debug', protocolVersion: '2025-06-18' });
		expect(session.logLevel).toBe('debug');
		expect(session.protocolVersion).toBe('2025-06-18');
		expect(session.signal).toBe(signal);
		expect(await session.state.get('key')).toBe(1);
	});

	it('does not let tool code write whose it is', () => {
		const { session } = open({ principal: 'alice' });
		for (const key of ['principal', 'claims', 'clientInfo', 'protocolVersion', 'state', 'signal']) {
			expect(() => Object.assign(session, { [key]: 'mallory' })).toThrow(TypeError);
		}
		expect(session.principal).toBe('alice');
	});

	it('tells its subscriptions as the store has them', async () => {
		const { session, info } = open();
		expect(await session.subscriptions()).toEqual([]);
		info.addSubscription('s', 'file:///a');
		expect(await session.subscriptions()).toEqual(['file:///a']);
	});

	it('asks its home to end it everywhere, with the reason', async () => {
		const { session, terminated } = open();
		await session.terminate('done');
		expect(terminated).toEqual([['s', 'done']]);
		expect(session.signal.aborted).toBe(false);
	});
});

describe('the life of a session', () => {
	it('is shown as it was last read: when it began, where it is, when it ends', () => {
		const { session } = open();
		expect([session.status, session.createdAt, session.expiresAt]).toEqual(['active', 0, undefined]);
		const record = sampleRecord('s', { createdAt: 1_000, lastUsedAt: 2_000, idleTtlMs: 500, status: 'suspended' });
		session.refresh(record);
		expect([session.status, session.createdAt, session.expiresAt]).toEqual(['suspended', 1_000, 2_500]);
		session.refresh({ ...record, endsAt: 2_100 });
		expect(session.expiresAt).toBe(2_100);
		session.markEnded('expired');
		expect(session.status).toBe('terminated');
	});
});

describe('the signal of a session', () => {
	it('aborts once when the session ends, with the reason', () => {
		const { session } = open();
		const reasons: unknown[] = [];
		session.signal.addEventListener('abort', () => reasons.push(session.signal.reason));
		session.markEnded('expired');
		session.markEnded('deleted');
		expect(session.signal.aborted).toBe(true);
		expect(reasons).toEqual(['expired']);
	});

	it('is aborted for whoever asks only after the end', () => {
		const { session } = open();
		session.markEnded('expired');
		session.markEnded('deleted');
		expect(session.signal.aborted).toBe(true);
		expect(session.signal.reason).toBe('expired');
	});
});

it('log levels are those of the protocol, least severe first, and nothing else is one', () => {
	expect(LOG_LEVELS).toEqual(['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']);
	for (const level of LOG_LEVELS) expect(isLogLevel(level)).toBe(true);
	for (const other of ['DEBUG', 'warn', '', 0, null, undefined, {}, ['debug']]) expect(isLogLevel(other)).toBe(false);
});
