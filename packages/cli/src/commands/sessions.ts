import {
	expiryOf,
	type InfoSessionManager,
	type SessionRecord,
	type SessionStatus,
	statusOf,
} from '@holdfast/session-manager/custom';
import { clientInfoOf } from '@holdfast/session-manager/internal';
import { Auditor, noteOf } from '../audit.js';
import { type Call, type Command, limitOf, onlyArgument, statusAsked } from '../command.js';
import { exitCodes, UsageError } from '../exit.js';
import { OperatorNode } from '../operator-node.js';
import { hashedId, shortHash } from '../short-hash.js';
import { findSession, sessionsIn } from '../store/find-session.js';
import { withStore } from '../store/open-store.js';
import { ageOf, dateOf, writeField, writeJson, writeTable } from '../terminal.js';

const statuses: readonly SessionStatus[] = ['opening', 'active', 'suspended'];

export const listSessions: Command = (call) =>
	withStore(call.settings, call.terminal.folder, async ({ info }) => {
		if (call.arguments.length > 0) throw new UsageError('sessions list takes no arguments.');
		const { principal } = call.flags;
		const status = statusAsked(call, statuses);
		const limit = limitOf(call);
		const records: SessionRecord[] = [];
		let left = 0;
		for await (const record of sessionsIn(info)) {
			if (principal !== undefined && record.principal !== principal) continue;
			if (status !== undefined && statusOf(record) !== status) continue;
			if (records.length < limit) records.push(record);
			else left++;
		}
		records.sort((one, other) => other.lastUsedAt - one.lastUsedAt);
		if (call.flags['json'] === true) writeJson(call.terminal, { sessions: records.map(summaryOf), left });
		else {
			writeTable(
				call.terminal,
				['SESSION', 'CLIENT', 'PRINCIPAL', 'REVISION', 'STATUS', 'AGE', 'UNUSED'],
				records.map((record) => rowOf(record, call.now)),
			);
			if (left > 0) call.terminal.note(`${left} more; --limit shows them.\n`);
		}
		return exitCodes.fine;
	});

export const showSession: Command = (call) =>
	withStore(call.settings, call.terminal.folder, async ({ info }) => {
		const given = onlyArgument(call, 'session');
		const record = await findSession(info, given);
		const shown = record === undefined ? await endedOf(info, given) : await detailsOf(info, record);
		if (shown === undefined) return unknown(call);
		if (call.flags['json'] === true) writeJson(call.terminal, shown);
		else for (const [name, value] of Object.entries(shown)) writeField(call.terminal, name, value);
		return exitCodes.fine;
	});

export const endSession: Command = (call) =>
	withStore(call.settings, call.terminal.folder, async (store) => {
		const record = await findSession(store.info, onlyArgument(call, 'session'));
		if (record === undefined) return unknown(call);
		const audit = new Auditor(call);
		const node = new OperatorNode(store, call.terminal, audit);
		const { by, reason = 'an operator ended it' } = noteOf(call);
		await node.act(() => node.terminate(record.id, reason, { by }));
		done(call, { session: shortHash(record.id), ended: true });
		return audit.exitCode;
	});

export const suspendSession: Command = (call) =>
	withStore(call.settings, call.terminal.folder, async (store) => {
		const record = await findSession(store.info, onlyArgument(call, 'session'));
		if (record === undefined) return unknown(call);
		const audit = new Auditor(call);
		const node = new OperatorNode(store, call.terminal, audit);
		await node.act(() => node.suspend(record.id, noteOf(call)));
		// A node that uses it has made it active again by now.
		const now = await store.info.read(record.id);
		const suspended = now !== undefined && statusOf(now) === 'suspended';
		done(call, { session: shortHash(record.id), suspended });
		if (!suspended) call.terminal.note('holdfast: The session is in use, or cannot be suspended.\n');
		return suspended ? audit.exitCode : exitCodes.findings;
	});

function unknown({ terminal }: Call): number {
	terminal.note('holdfast: There is no such session.\n');
	return exitCodes.findings;
}

function done(call: Call, outcome: Readonly<Record<string, unknown>>): void {
	if (call.flags['json'] === true) writeJson(call.terminal, outcome);
	else for (const [name, value] of Object.entries(outcome)) writeField(call.terminal, name, value);
}

/** What is shown of a session in a list. */
function summaryOf(record: SessionRecord) {
	const { name, version } = clientInfoOf(record);
	return {
		session: shortHash(record.id),
		client: { name, version },
		principal: record.principal,
		revision: record.protocolVersion,
		transport: record.transport ?? 'http',
		status: statusOf(record),
		createdAt: dateOf(record.createdAt),
		lastUsedAt: dateOf(record.lastUsedAt),
		expiresAt: dateOf(expiryOf(record)),
	};
}

async function detailsOf(info: InfoSessionManager, record: SessionRecord) {
	const state = await info.listState(record.id);
	return {
		...summaryOf(record),
		logLevel: record.logLevel,
		capabilities: record.initializeParams['capabilities'],
		subscriptions: await info.getSubscribedUris(record.id),
		// Values may be private; their sizes tell what takes the room.
		state: Object.fromEntries([...state].map(([key, { value }]) => [key, { bytes: Buffer.byteLength(value) }])),
	};
}

async function endedOf(info: InfoSessionManager, given: string) {
	const ended = (await info.readEnded(given)) ?? (await info.readEnded(hashedId(given)));
	if (ended === undefined) return undefined;
	return { ...summaryOf(ended.record), status: 'ended', endedAt: dateOf(ended.endedAt), reason: ended.reason };
}

function rowOf(record: SessionRecord, now: number): string[] {
	const { name, version } = clientInfoOf(record);
	return [
		shortHash(record.id),
		`${name} ${version}`,
		record.principal ?? '–',
		record.protocolVersion,
		statusOf(record),
		ageOf(record.createdAt, now),
		ageOf(record.lastUsedAt, now),
	];
}
