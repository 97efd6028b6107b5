import { ConversationError, Conversations, FileConversationStore, markdownOf } from '@holdfast/conversations';
import type { ConversationHead, ConversationState, ConversationStore } from '@holdfast/conversations/custom';
import { Auditor, noteOf } from '../audit.js';
import { type Call, type Command, limitOf, onlyArgument, statusAsked } from '../command.js';
import { exitCodes, UsageError } from '../exit.js';
import { openConversations } from '../store/open-conversations.js';
import { ageOf, dateOf, shownText, writeField, writeJson, writeTable } from '../terminal.js';

/** How many conversations are read at once. */
const PAGE = 200;

const states: readonly ConversationState[] = ['active', 'suspended', 'terminated'];

export const listConversations: Command = (call) =>
	withConversations(call, async (store) => {
		if (call.arguments.length > 0) throw new UsageError('conversations list takes no arguments.');
		const { principal } = call.flags;
		const status = statusAsked(call, states);
		const filter = principal === undefined ? {} : { principal: String(principal) };
		const limit = limitOf(call);
		const heads: ConversationHead[] = [];
		let left = 0;
		let cursor: string | undefined;
		do {
			const page = await store.list(filter, cursor, PAGE);
			for (const { head } of page.conversations) {
				if (status !== undefined && head.state !== status) continue;
				if (heads.length < limit) heads.push(head);
				else left++;
			}
			cursor = page.cursor;
		} while (cursor !== undefined);
		heads.sort((one, other) => other.lastUsedAt - one.lastUsedAt);
		if (call.flags['json'] === true) writeJson(call.terminal, { conversations: heads.map(summaryOf), left });
		else {
			writeTable(
				call.terminal,
				['CONVERSATION', 'TITLE', 'OWNER', 'STATE', 'AGE', 'UNUSED'],
				heads.map(({ id, title, owner, state, createdAt, lastUsedAt }) => [
					...[id, title, owner, state],
					...[ageOf(createdAt, call.now), ageOf(lastUsedAt, call.now)],
				]),
			);
			if (left > 0) call.terminal.note(`${left} more; --limit shows them.\n`);
		}
		return exitCodes.fine;
	});

export const showConversation: Command = (call) =>
	withConversations(call, async (store) => {
		const head = await headOf(store, onlyArgument(call, 'conversation'));
		if (head === undefined) return unknown(call);
		const members = head.members.map(({ principal, role }) => ({ principal, role }));
		// What was said is private; how much there is tells what takes the room.
		const shown = { ...summaryOf(head), members, holds: await store.counts(head.id) };
		if (call.flags['json'] === true) writeJson(call.terminal, shown);
		else for (const [name, value] of Object.entries(shown)) writeField(call.terminal, name, value);
		return exitCodes.fine;
	});

/** Writes JSON unless Markdown is asked for, and leaves a line in the audit log. */
export const exportConversation: Command = (call) =>
	withConversations(call, async (store) => {
		const head = await headOf(store, onlyArgument(call, 'conversation'));
		if (head === undefined) return unknown(call);
		const audit = new Auditor(call);
		const conversations = new Conversations(store);
		try {
			const data = `conversation ${head.id}`;
			const exported = await (await conversations.of(head.owner).open(head.id)).export();
			const entry = { type: 'audit', action: 'export', principal: head.owner, data, at: call.now, done: true } as const;
			audit.event({ ...entry, ...noteOf(call) });
			if (audit.hasGap) return audit.exitCode;
			if (call.flags['markdown'] === true) call.terminal.out(markdownOf(exported));
			else writeJson(call.terminal, exported);
		} finally {
			conversations.close();
		}
		return exitCodes.fine;
	});

/** Makes a damaged conversation usable again; what is damaged is kept aside. */
export const repairConversation: Command = (call) =>
	withConversations(call, async (store) => {
		const id = onlyArgument(call, 'conversation');
		if (!(store instanceof FileConversationStore))
			throw new UsageError('repair is for conversations in a folder: a database cannot be damaged like files.');
		const repaired = await store.repair(id);
		if (repaired === undefined) return unknown(call);
		if (call.flags['json'] === true) writeJson(call.terminal, { conversation: id, repaired });
		else {
			const what = repaired.length === 0 ? 'nothing was damaged' : `repaired ${repaired.join(', ')}`;
			call.terminal.out(`${shownText(id)}: ${what}\n`);
		}
		return exitCodes.fine;
	});

/** Removes a conversation for everybody, also one that is damaged, and leaves a line in the audit log. */
export const eraseConversation: Command = (call) =>
	withConversations(call, async (store) => {
		const id = onlyArgument(call, 'conversation');
		if (call.flags['yes'] !== true) throw new UsageError('What is erased is gone for good: say --yes.');
		const audit = new Auditor(call);
		const principal = await ownerOf(store, id);
		const entry = { type: 'audit', action: 'erase', principal, data: `conversation ${id}`, at: call.now } as const;
		let done = false;
		try {
			done = await store.delete(id);
		} finally {
			audit.event({ ...entry, done, ...noteOf(call) });
		}
		if (!done) return unknown(call);
		if (call.flags['json'] === true) writeJson(call.terminal, { conversation: id, erased: true });
		else call.terminal.out(`erased conversation: ${shownText(id)}\n`);
		return audit.exitCode;
	});

/** Returns whose a conversation is; `undefined` where it is damaged so that nobody knows. */
async function ownerOf(store: ConversationStore, id: string): Promise<string | undefined> {
	try {
		return (await headOf(store, id))?.owner;
	} catch (error) {
		if (!(error instanceof ConversationError) || error.code !== 'corrupt') throw error;
		return undefined;
	}
}

async function withConversations(call: Call, work: (store: ConversationStore) => Promise<number>): Promise<number> {
	const store = await openConversations(call);
	if (store === undefined)
		throw new UsageError(
			'Name where they are with --conversations or HOLDFAST_CONVERSATIONS: a folder, a file or a URL.',
		);
	try {
		return await work(store);
	} finally {
		await store.close();
	}
}

async function headOf(store: ConversationStore, id: string): Promise<ConversationHead | undefined> {
	return (await store.read(id))?.head;
}

function unknown({ terminal }: Call): number {
	terminal.note('holdfast: There is no such conversation.\n');
	return exitCodes.findings;
}

function summaryOf({ id, title, project, owner, state, createdAt, lastUsedAt, endReason }: ConversationHead) {
	const dates = { createdAt: dateOf(createdAt), lastUsedAt: dateOf(lastUsedAt) };
	return { conversation: id, title, project, owner, state, ...dates, endReason };
}
