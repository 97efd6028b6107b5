import { BROADCAST_CHANNEL, parseStreamId } from '@holdfast/session-manager/custom';
import { storedText } from '../stored-text.js';

/**
 * Returns the session and the name of a stream, as they are stored. The broadcasts are the session stream of a session
 * that is called as their channel is, which no session id is spelled.
 */
export function partsOf(id: string): [session: string, name: string] {
	if (id === BROADCAST_CHANNEL) return [BROADCAST_CHANNEL, ''];
	const { sessionId, name } = parseStreamId(id);
	return [storedText(sessionId), storedText(name)];
}
