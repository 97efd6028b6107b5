import { Conversations, type PersonErasure, type PersonExport, type Persons } from '@holdfast/conversations';
import { Auditor, noteOf } from '../audit.js';
import { type Call, type Command, onlyArgument } from '../command.js';
import { exitCodes, UsageError } from '../exit.js';
import { OperatorNode } from '../operator-node.js';
import { openConversations } from '../store/open-conversations.js';
import { withStore } from '../store/open-store.js';
import { shownText, type Terminal, writeJson } from '../terminal.js';

/** What there can be of a person, and how an operator names where it is. */
const kinds = {
	sessions: { what: 'Sessions, handles and tasks', flag: '--store' },
	conversations: { what: 'Conversations', flag: '--conversations' },
} as const;

type Kind = keyof typeof kinds;

/** What the settings name of {@link kinds}; one of them at least. */
interface Places {
	readonly principal: string;
	/** Absent where no store of sessions is named. */
	readonly node: OperatorNode | undefined;
	/** Absent where no store of conversations is named. */
	readonly persons: Persons | undefined;
	readonly notCovered: readonly Kind[];
	readonly audit: Auditor;
}

/** Writes JSON with and without `--json`: it is what the person gets. */
export const exportPerson: Command = (call) =>
	withPlaces(call, async (places) => {
		const { principal, node, persons, notCovered, audit } = places;
		const exported: Partial<PersonExport> | undefined =
			persons === undefined
				? await node?.principals.export(principal, noteOf(call))
				: await audited(call, places, 'export', () => persons.export(principal));
		if (audit.hasGap) return audit.exitCode;
		writeJson(call.terminal, { ...exported, notCovered });
		noteNotCovered(call.terminal, notCovered, 'in the export');
		const { damaged = [], unreadable = 0 } = exported ?? {};
		const left = [
			...damaged.map((id) => `"${id}"`),
			...(unreadable > 0 ? [`${unreadable} of which nobody knows whose they are`] : []),
		];
		if (left.length === 0) return exitCodes.fine;
		call.terminal.note(
			`holdfast: These conversations are damaged and not in the export: ${shownText(left.join(', '))}.\n`,
		);
		return exitCodes.findings;
	});

export const erasePerson: Command = (call) =>
	withPlaces(call, async (places) => {
		if (call.flags['yes'] !== true) throw new UsageError('What is erased is gone for good: say --yes.');
		const { principal, node, persons, notCovered, audit } = places;
		const erase = (): Promise<Partial<PersonErasure>> =>
			persons === undefined
				? eraseSessions(call, places)
				: audited(call, places, 'erase', () => persons.erase(principal));
		const { sessions, conversations, contributions } = node === undefined ? await erase() : await node.act(erase);
		const erased = {
			...(node !== undefined && { sessions }),
			...(persons !== undefined && { conversations, contributions }),
		};
		if (call.flags['json'] === true) writeJson(call.terminal, { erased, notCovered });
		else for (const [name, count] of Object.entries(erased)) call.terminal.out(`erased ${name}: ${count}\n`);
		noteNotCovered(call.terminal, notCovered, 'erased');
		return audit.exitCode;
	});

async function eraseSessions(call: Call, { principal, node }: Places): Promise<Partial<PersonErasure>> {
	return { sessions: (await node?.principals.erase(principal, noteOf(call))) ?? 0 };
}

/** Opens what the settings name, does `work`, and closes it. */
async function withPlaces(call: Call, work: (places: Places) => Promise<number>): Promise<number> {
	const principal = onlyArgument(call, 'principal');
	const { settings, terminal } = call;
	if (settings.store === undefined && settings.conversations === undefined)
		throw new UsageError('Name the store with --store, conversations with --conversations, or both.');
	const audit = new Auditor(call);
	const store = await openConversations(call);
	const conversations = store && new Conversations(store, { sweepIntervalMs: 0 });
	try {
		if (settings.store === undefined)
			return await work({
				...{ principal, node: undefined, persons: conversations?.persons },
				...{ notCovered: ['sessions'], audit },
			});
		return await withStore(settings, terminal.folder, async (opened) => {
			const node = new OperatorNode(opened, terminal, audit);
			const note = noteOf(call);
			const persons = conversations?.persons.withSessions({
				export: (of) => node.principals.export(of, note),
				erase: (of) => node.principals.erase(of, note),
			});
			const notCovered = persons === undefined ? (['conversations'] as const) : [];
			try {
				return await work({ principal, node, persons, notCovered, audit });
			} finally {
				await node.close();
			}
		});
	} finally {
		conversations?.close();
		await store?.close();
	}
}

/** Does `work` with conversations, and writes it to the audit log; what happens to sessions is written by itself. */
async function audited<T>(
	call: Call,
	{ principal, audit }: Places,
	action: 'export' | 'erase',
	work: () => Promise<T>,
): Promise<T> {
	let done = false;
	try {
		const result = await work();
		done = true;
		return result;
	} finally {
		audit.event({ type: 'audit', action, principal, data: 'conversations', at: call.now, done, ...noteOf(call) });
	}
}

/** Nobody must believe that all is done where a place was not named. */
function noteNotCovered(terminal: Terminal, notCovered: readonly Kind[], what: string): void {
	for (const kind of notCovered)
		terminal.note(
			`holdfast: ${kinds[kind].what} are not ${what}: name where they are with ${kinds[kind].flag}, if there are any.\n`,
		);
}
