import { type ManagerFactory, runContract } from '@holdfast/session-manager-test-kit';

export async function report(factory: ManagerFactory): Promise<string[]> {
	//#region report
	const results = await runContract(factory);
	const broken = results.filter(({ outcome }) => outcome === 'broken');
	const lines = broken.map(({ id, promise, error }) => `${id}: ${promise} ${error}`);
	//#endregion report
	return lines;
}
