import { ConversationError } from '../contract/conversation-error.js';
import type { ConversationHead, Member, Role } from '../contract/conversation-record.js';
import type { Home } from './home.js';

/** Returns `head` with `principal` in a role, or without. */
export function withMember(
	head: ConversationHead,
	principal: string,
	role: Exclude<Role, 'owner'> | undefined,
	{ limits, clock }: Pick<Home, 'limits' | 'clock'>,
	link?: string,
): ConversationHead {
	if (principal === head.owner) {
		throw new ConversationError('invalid', 'The owner of a conversation stays its owner.');
	}
	const known = head.members.find((member) => member.principal === principal);
	if (known === undefined && role === undefined) return head;
	if (known === undefined && head.members.length >= limits.maxMembers) {
		throw new ConversationError('limit', `"${head.id}" has ${head.members.length} members, the most that it may have.`);
	}
	const since = known === undefined || known.role === 'former' ? clock.now() : known.since;
	const member: Member = { ...known, principal, role: role ?? 'former', since, link };
	return { ...head, members: [...head.members.filter((each) => each.principal !== principal), member] };
}

/** Returns a member who may do nothing any more. */
export function former(member: Member): Member {
	return { ...member, role: 'former', link: undefined };
}
