import type { SessionState } from '@holdfast/session-manager';

export async function add(state: SessionState, warn: (text: string) => void): Promise<void> {
	//#region add
	const warned = state.marks('warned', { maxMarks: 100 });
	if (await warned.add('quota')) warn('Your quota is almost used up.'); // once for each session
	await warned.flush(); // only where the mark must survive a killed node
	//#endregion add
}
