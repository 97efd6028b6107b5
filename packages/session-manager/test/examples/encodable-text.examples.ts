import { createHash } from 'node:crypto';
import { encodableText } from '@holdfast/session-manager/custom';

export function keyOf(uri: string): string {
	//#region key
	const key = createHash('sha256').update(encodableText(uri)).digest('hex');
	//#endregion key
	return key;
}
