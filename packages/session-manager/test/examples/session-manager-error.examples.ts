import { SessionManagerError, type SessionState } from '@holdfast/session-manager';

export async function code(state: SessionState): Promise<string> {
	//#region code
	try {
		return `Call ${await state.increment('calls')}`;
	} catch (error) {
		if (error instanceof SessionManagerError && error.code === 'unavailable') return 'Please try again later.';
		throw error;
	}
	//#endregion code
}
