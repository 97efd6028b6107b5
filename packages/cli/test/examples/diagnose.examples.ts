import { diagnose } from '@holdfast/cli';

export async function examine(log: (line: string) => void): Promise<void> {
	//#region diagnose
	const { findings } = await diagnose({ store: 'redis://localhost:6379', url: 'https://tools.example/mcp' });
	for (const { code, what, repair } of findings) log(`${code}: ${what} ${repair}`);
	//#endregion diagnose
}
