import { ConversationError } from '../contract/conversation-error.js';
import type { PersonConversations } from '../conversation/person-conversations.js';
import { textOfSummary } from '../reading/resume-summary.js';
import type { Names } from './names.js';

/** A prompt, declared once for every SDK. */
export interface Prompt {
	readonly name: string;
	readonly title: string;
	readonly description: string;
	/** Its arguments with what they are; those that are the id of a conversation are completed. */
	readonly arguments: Readonly<Record<string, { readonly description: string; readonly isId?: boolean }>>;
	text(person: PersonConversations, args: Readonly<Record<string, string>>, names: Names): Promise<string>;
}

const id = { description: 'The id of the conversation', isId: true };
const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

/** Returns nothing for a conversation that cannot be understood, so that the others can be read. */
function damagedOrThrow(error: unknown): undefined {
	if (!(error instanceof ConversationError) || error.code !== 'corrupt') throw error;
}

/** Every prompt. */
export const prompts: readonly Prompt[] = [
	{
		name: 'continue',
		title: 'Continue a conversation',
		description: 'Picks a conversation up where it was left.',
		arguments: { id },
		async text(person, args, names) {
			const summary = await (await person.open(args['id'] ?? '')).summary();
			return [
				`Let us continue "${summary.title}". This is where we stand:`,
				textOfSummary(summary),
				`Call ${names.tool('resume_conversation')} with ${names.id} "${summary.id}", tell me in a few sentences where ` +
					'we are and what is open, and propose the next step.',
			].join('\n\n');
		},
	},
	{
		name: 'hand-over',
		title: 'Hand a conversation over',
		description: 'Writes what a colleague needs to take a conversation over.',
		arguments: { id },
		async text(person, args, names) {
			const summary = await (await person.open(args['id'] ?? '')).summary();
			return [
				`Write a hand-over of "${summary.title}" for a colleague who knows nothing of it:`,
				textOfSummary(summary),
				'Say what it is about, what was found and how sure that is, what is open, and what to do next. Cite discoveries ' +
					`by their numbers. Then offer to make a share link with ${names.tool('share_conversation')}.`,
			].join('\n\n');
		},
	},
	{
		name: 'weekly-summary',
		title: 'Summarize the week',
		description: 'Sums up what happened in all conversations in the last seven days.',
		arguments: {},
		async text(person) {
			const list = (await person.list()).filter(({ lastUsedAt }) => lastUsedAt > person.now() - WEEK_MS).slice(0, 20);
			const parts: string[] = [];
			for (const each of list) {
				const summary = await person.at(each.id).summary().catch(damagedOrThrow);
				if (summary === undefined) {
					parts.push(`## ${each.title}, ${each.state}, id ${each.id}\n- it is damaged and cannot be read`);
					continue;
				}
				const { title, project, discoveries, open } = summary;
				const recent = discoveries.filter(({ at }) => at > person.now() - WEEK_MS);
				parts.push(
					[
						`## ${title}${project && ` (${project})`}, ${each.state}, id ${each.id}`,
						...recent.map(({ number, kind, title: found }) => `- #${number} ${kind}: ${found}`),
						...open.map(({ number, title: question }) => `- still open: #${number} ${question}`),
					].join('\n'),
				);
			}
			return [
				'Sum up my week from these conversations: what was achieved, what was decided, what is open.',
				...(parts.length > 0 ? parts : ['There was none in the last seven days.']),
			].join('\n\n');
		},
	},
];

/** Returns the text of a prompt. Where an argument names no conversation, that is the error of MCP. */
export async function promptable<T>(text: () => Promise<T>): Promise<T> {
	try {
		return await text();
	} catch (error) {
		if (!(error instanceof ConversationError) || !['not-found', 'invalid'].includes(error.code)) throw error;
		// The code of invalid arguments (2025-11-25, Prompts, Error Handling).
		throw Object.assign(new Error(error.message, { cause: error }), { code: -32602 });
	}
}
