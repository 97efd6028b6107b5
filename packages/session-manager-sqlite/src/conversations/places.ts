/** How many messages, discoveries or versions of its context a conversation has room for. */
const ROOM = 2 ** 26;

/** Returns the key of an item: those of one conversation follow each other, by number. */
export function placeOf(conversation: number, number: number): number {
	return conversation * ROOM + Math.min(Math.max(number, 0), ROOM);
}

/** Returns the first place of a conversation, and the first of the next. */
export function placesOf(conversation: number): readonly [from: number, to: number] {
	return [placeOf(conversation, 0), placeOf(conversation + 1, 0)];
}

/** Returns the conversation of a place. */
export function conversationAt(place: number): number {
	return Math.floor(place / ROOM);
}
