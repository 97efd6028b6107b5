import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import { HttpTransport } from '@holdfast/transport-http';
import { expect, it, onTestFinished } from 'vitest';
import { handleDoor } from '../../../../test/support/doors.ts';
import { Rig } from '../../../../test/support/rig.ts';

const sentence = 'Set onerror to hear of every error that reaches no client.';

/** Collects what the process is warned of, until the test is over. */
function warnings(): string[] {
	const heard: string[] = [];
	const original = process.emitWarning;
	process.emitWarning = ((message: string, { type }: { type: string }) => heard.push(`${type}: ${message}`)) as never;
	onTestFinished(() => {
		process.emitWarning = original;
	});
	return heard;
}

it('an error that reaches no client is a warning without onerror: a kind once, then its count after a minute', async () => {
	const heard = warnings();
	const clock = new ManualClock(1_000_000);
	const info = new InMemoryInfoSessionManager({ clock });
	let message = 'no server 1';
	const rig = await Rig.open(handleDoor, {
		clock,
		sessionManager: { info },
		onerror: undefined as never,
		createServer() {
			throw new Error(message);
		},
	});
	const text = 'HoldfastWarning: The function that makes servers threw an error, so the client got 500:';
	await rig.initialize();
	expect(heard).toEqual([`${text} no server 1. ${sentence}`]);
	message = 'no server 2';
	for (let n = 0; n < 3; n++) await rig.initialize();
	expect(heard).toHaveLength(1);
	message = 'another reason';
	await rig.initialize();
	expect(heard.slice(1)).toEqual([`${text} another reason. ${sentence}`]);
	clock.advance(60_000);
	message = 'no server 3';
	await rig.initialize();
	expect(heard.slice(2)).toEqual([`${text} no server 3 (4 times). ${sentence}`]);
	info.onerror?.(new Error('of the store'));
	expect(heard.at(-1)).toBe(`HoldfastWarning: of the store. ${sentence}`);
	info.onerror?.('no error' as never);
});

it('with onerror nothing is a warning, also where a transport without one has the same managers', async () => {
	const heard = warnings();
	const info = new InMemoryInfoSessionManager();
	const createServer = () => {
		throw new Error('no server');
	};
	await using _ = new HttpTransport(createServer, { sessionManager: { info } });
	const rig = await Rig.open(handleDoor, { createServer, sessionManager: { info } });
	await rig.initialize();
	const told = new Error('of the store');
	info.onerror?.(told);
	expect(rig.errors).toHaveLength(2);
	expect(rig.errors[1]).toBe(told);
	expect(heard).toEqual([]);
	const own = () => {};
	info.onerror = own;
	await using __ = new HttpTransport(createServer, { sessionManager: { info }, onerror() {} });
	expect(info.onerror).toBe(own);
});

it('a readiness probe tells the same reason once, until it has passed', async () => {
	let reason: string | undefined = 'the store is away';
	class Away extends InMemoryInfoSessionManager {
		override read(id: string) {
			if (reason !== undefined) throw new Error(reason);
			return super.read(id);
		}
	}
	const rig = await Rig.open(handleDoor, { sessionManager: { info: new Away() } });
	for (let n = 0; n < 3; n++) expect(await rig.transport.isReady()).toBe(false);
	reason = undefined;
	expect(await rig.transport.isReady()).toBe(true);
	reason = 'the store is away';
	expect(await rig.transport.isReady()).toBe(false);
	expect(rig.errors.map(({ message }) => message)).toEqual(['the store is away', 'the store is away']);
});
