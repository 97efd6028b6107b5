import type { ConversationHead, NewDiscovery, NewMessage } from '../contract/conversation-record.js';

/** Returns a head to store. */
export function sampleHead(id: string, given: Partial<ConversationHead> = {}): ConversationHead {
	const owner = given.owner ?? 'alice';
	return {
		id,
		title: `About ${id}`,
		project: 'Project',
		description: '',
		metadata: {},
		owner,
		members: [{ principal: owner, role: 'owner', since: 1 }],
		links: [],
		state: 'active',
		createdAt: 1,
		updatedAt: 1,
		lastUsedAt: 1,
		...given,
	};
}

/** Returns a message to append. */
export function sampleMessage(content: NewMessage['content'], given: Partial<NewMessage> = {}): NewMessage {
	return { role: 'user', content, at: 1, ...given };
}

/** Returns a discovery to add. */
export function sampleDiscovery(title: string, given: Partial<NewDiscovery> = {}): NewDiscovery {
	return {
		kind: 'finding',
		title,
		description: '',
		relevance: 1,
		at: 1,
		evidence: { messages: [], context: [] },
		resolves: [],
		...given,
	};
}

/** Everything. */
export const ALL = Object.freeze({ limit: 1_000_000 });

/** Returns the code of the error that `work` ends with; otherwise its result. */
export async function codeOf(work: () => unknown): Promise<unknown> {
	try {
		return await work();
	} catch (error) {
		if (error instanceof Error && 'code' in error) return error.code;
		throw error;
	}
}

/** Texts that a store may misinterpret or confuse with each other. */
export const LOOK_ALIKES: readonly string[] = Object.freeze([
	...[
		's',
		'S',
		's*',
		'*',
		'%',
		's%',
		'_',
		"it's",
		`"; drop`,
		`'; drop table conversations; --`,
		'\\',
		'/',
		'../s',
		'..',
	],
	...[
		'.',
		'./s',
		's/',
		's ',
		' s',
		'\u0000',
		's\u0000',
		'\ud800',
		'\udfff',
		'\ud800\u0000',
		'\ufffd',
		'é',
		'e\u0301',
		'😀',
		'~',
		'~s',
		'.lock',
		'.processes',
		'con',
	],
	...[
		'x'.repeat(200),
		`${'x'.repeat(199)}y`,
		'__proto__',
		'constructor',
		'undefined',
		'null',
		'0',
		'%73',
		'%2e',
		'ß',
		'SS',
	],
]);
