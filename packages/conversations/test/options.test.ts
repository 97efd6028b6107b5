import { Conversations, FileConversationStore, InMemoryConversationStore } from '@holdfast/conversations';
import { notifySubscribers, registerConversations } from '@holdfast/conversations/mcp';
import { describe, expect, test } from 'vitest';

/** What users write whose compiler does not look. */
const make = (options: object) => new Conversations(new InMemoryConversationStore(), options);
const conversations = make({});
const server = { registerTool() {}, registerResource() {}, registerPrompt() {} };
const register = (options: object) => registerConversations(server, conversations, undefined, options);
const files = (options: object) => new FileConversationStore('somewhere', options);

describe('a mistake in an option is an error that names it', () => {
	test.each<[string, () => unknown, string | RegExp]>([
		[
			'a slip',
			() => make({ maxContextByte: 5 }),
			'Conversations has no option maxContextByte. Did you mean maxContextBytes?',
		],
		['one of another', () => make({ vocabulary: 'session' }), 'Conversations has no option vocabulary.'],
		['no object', () => make('options' as never), "The options of Conversations must be an object, not 'options'."],
		[
			'a size below 0',
			() => make({ maxCached: -1 }),
			'Conversations: maxCached must be a whole number, 0 or more, not -1.',
		],
		[
			'a time that is text',
			() => make({ sweepIntervalMs: '1' }),
			/^Conversations: sweepIntervalMs must be a number of/,
		],
		['a limit of 0', () => make({ maxHistory: 0 }), 'maxHistory must be a whole number of at least 1; it is 0.'],
		['a word that is none', () => make({ unusedConversations: 'drop' }), /must be 'end' or 'erase', not 'drop'\.$/],
		[
			'keys that are none',
			() => make({ shareKeys: ['key'] }),
			/shareKeys must be a list of keys, each with id and secret/,
		],
		['sessions that are none', () => make({ sessions: {} }), /sessions must be the principals of a transport/],
		['an observer that is none', () => make({ observe: 'all' }), /observe must be an observer, or a list of them/],
		['a clock that is none', () => make({ clock: Date }), /clock must be a Clock/],
		['no store', () => new Conversations('./conversations' as never), /^Conversations needs a store first/],
		[
			'a slip of a folder',
			() => files({ maxCache: 5 }),
			'FileConversationStore has no option maxCache. Did you mean maxCached?',
		],
		[
			'a time of a folder',
			() => files({ lockTimeoutMs: -1 }),
			/lockTimeoutMs must be a number of milliseconds, 0 or more/,
		],
		[
			'no folder',
			() => new FileConversationStore('' as never),
			/^FileConversationStore needs the path of a folder first/,
		],
		['a slip of tools', () => register({ vocabulary: 'sessions' }), /vocabulary must be 'conversation' or 'session'/],
		['a name of tools', () => register({ user: 'ann' }), 'registerConversations has no option user.'],
		['nobody', () => register({ principal: '' }), /principal must be a text that is not empty/],
		[
			'no conversations',
			() => registerConversations(server, server as never, undefined),
			/^registerConversations needs the Conversations second/,
		],
		[
			'no notifier',
			() => notifySubscribers(conversations, {} as never),
			/^notifySubscribers needs transport\.notify second/,
		],
	])('%s', (_, use, message) => {
		expect(use).toThrow(TypeError);
		expect(use).toThrow(message);
	});
});

test('an option that is undefined is as one that is left out', () => {
	expect(() => make({ maxCached: undefined, clock: undefined, maxHistory: undefined })).not.toThrow();
	expect(() => register({ principal: undefined, vocabulary: undefined })).not.toThrow();
});
