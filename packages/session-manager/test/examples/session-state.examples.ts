import type { Session } from '@holdfast/session-manager';
import * as v from 'valibot';

export async function getAndSet(session: Session): Promise<unknown> {
	//#region getAndSet
	await session.state.set('step', 2n);
	const step = await session.state.get('step'); // 2n: values keep their type
	await session.state.delete('step');
	//#endregion getAndSet
	return step;
}

export async function update(session: Session): Promise<void> {
	//#region update
	await session.state.update('cart', (cart) => [...(Array.isArray(cart) ? cart : []), 'apples']);
	//#endregion update
}

export async function increment(session: Session): Promise<unknown> {
	//#region increment
	const calls = await session.state.increment('calls');
	const points = await session.state.increment('points', 10n);
	//#endregion increment
	return { calls, points };
}

export async function getOrCompute(session: Session, fetchReport: () => Promise<string>): Promise<unknown> {
	//#region getOrCompute
	const report = await session.state.getOrCompute('report', () => fetchReport()); // fetched once for all nodes
	//#endregion getOrCompute
	return report;
}

export async function define(session: Session): Promise<unknown> {
	//#region define
	const theme = session.state.define('theme', v.picklist(['light', 'dark']));
	await theme.set('dark');
	const chosen = (await theme.get()) ?? 'light'; // 'light' | 'dark'
	//#endregion define
	return chosen;
}

export async function marks(session: Session, sendReleaseNotes: () => void): Promise<void> {
	//#region marks
	const seen = session.state.marks('seen');
	if (await seen.add('release-notes-2')) sendReleaseNotes();
	//#endregion marks
}
