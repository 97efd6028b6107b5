import { ConversationError } from '../contract/conversation-error.js';
import type { ConversationHead } from '../contract/conversation-record.js';
import { allOf } from '../reading/listing.js';
import { changeHead } from './access.js';
import { conversationUri, type Home } from './home.js';

/** How many conversations are suspended for one that is to become active; others may become active meanwhile. */
const MAX_ATTEMPTS = 5;

/**
 * Runs `work`, which makes a conversation of `owner` active; with `isNew`, it creates it. Where there are too many and
 * the oldest may be suspended for it, that happens first.
 */
export async function makeRoomFor<T>(home: Home, owner: string, isNew: boolean, work: () => Promise<T>): Promise<T> {
	for (let attempt = 1; ; attempt++) {
		try {
			return await work();
		} catch (error) {
			const isFull = error instanceof ConversationError && error.code === 'limit';
			if (!isFull || !home.suspendsOldest || attempt === MAX_ATTEMPTS) throw error;
			if (!(await suspendOldest(home, owner, isNew))) throw error;
		}
	}
}

/** Suspends the owner's active conversation that was unused for longest. Returns `false` where there is no need to. */
async function suspendOldest(home: Home, owner: string, isNew: boolean): Promise<boolean> {
	const { maxConversationsPerPerson, maxConversationsKeptPerPerson } = home.limits;
	// Then it is the store that is full.
	if (maxConversationsPerPerson === 0) return false;
	const heads: ConversationHead[] = [];
	let kept = 0;
	for await (const { head } of allOf(home.store, { principal: owner })) {
		if (head.owner !== owner) continue;
		kept++;
		if (head.state === 'active') heads.push(head);
	}
	// One that is suspended is kept as well.
	const most = maxConversationsKeptPerPerson || Number.POSITIVE_INFINITY;
	if (isNew && kept >= most) return false;
	const [oldest] = heads.sort((one, other) => one.lastUsedAt - other.lastUsedAt);
	if (oldest === undefined || heads.length < maxConversationsPerPerson) return false;
	await changeHead(home, oldest.id, owner, { role: 'owner', state: 'living' }, (head) =>
		head.state === 'active' ? { ...head, state: 'suspended', suspendedAt: home.clock.now() } : undefined,
	);
	home.cache.drop(oldest.id);
	home.store.release(oldest.id);
	home.changed({ conversation: oldest.id, uris: [conversationUri(oldest.id)] });
	return true;
}
