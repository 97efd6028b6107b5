import type { SessionState, StateEntry } from '@holdfast/session-manager';
import * as v from 'valibot';

export async function typed(state: SessionState): Promise<unknown> {
	//#region typed
	const cart = state.define('cart', v.array(v.string()));
	await cart.set(['apples']);
	const items = await cart.get(); // string[] | undefined
	//#endregion typed
	return items;
}

export async function update(cart: StateEntry<string[]>): Promise<void> {
	//#region update
	await cart.update((items = []) => [...items, 'pears']);
	//#endregion update
}
