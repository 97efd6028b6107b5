import type { ConversationHead } from '@holdfast/conversations';

/** Returns a head to store. */
export function sampleHead(id: string, given: Partial<ConversationHead> = {}): ConversationHead {
	return {
		id,
		title: `About ${id}`,
		project: '',
		description: '',
		metadata: {},
		owner: 'alice',
		members: [{ principal: 'alice', role: 'owner', since: 1 }],
		links: [],
		state: 'active',
		createdAt: 1,
		updatedAt: 1,
		lastUsedAt: 1,
		...given,
	};
}
