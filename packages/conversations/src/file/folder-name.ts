import { createHash } from 'node:crypto';
import { encodableText, originalText } from '@holdfast/session-manager/custom';

/** The longest name; file systems take 255 bytes. */
const MAX_LENGTH = 120;

/**
 * Returns the name of a conversation's folder. Every id has its own, also where a file system does not tell small
 * letters from capitals.
 */
export function folderNameOf(id: string): string {
	const encodable = encodableText(id);
	const name = [...Buffer.from(encodable, 'utf8')].map(escaped).join('');
	if (name.length > 0 && name.length <= MAX_LENGTH) return name;
	return `~${createHash('sha256').update(encodable, 'utf8').digest('hex')}`;
}

/** Returns the id of a conversation by the name of its folder; where that is made of a long id, the name. */
export function idOfFolder(name: string): string {
	return name.startsWith('~') ? name : originalText(decodeURIComponent(name));
}

function escaped(byte: number, index: number): string {
	const character = String.fromCharCode(byte);
	const plain = index === 0 ? /[a-z0-9]/ : /[a-z0-9._-]/;
	return plain.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
}
