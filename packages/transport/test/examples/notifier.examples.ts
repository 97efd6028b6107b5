// The examples in the doc comments of notifier.ts.
import type { ServerTransport } from '../../src/index.ts';

export async function notifier(transport: ServerTransport, saveReport: () => Promise<void>): Promise<void> {
	//#region notifier
	await saveReport();
	// Reaches every session that is subscribed to this URI, whichever node holds its stream.
	await transport.notify.resourceUpdated('file:///report.md');
	//#endregion notifier
}

export function restrict(
	transport: ServerTransport,
	mayRead: (principal: string | undefined, uri: string) => Promise<boolean>,
): void {
	//#region restrict
	transport.notify.restrict((uri) => {
		if (!uri.startsWith('report://')) return undefined; // everybody
		return (principal) => mayRead(principal, uri);
	});
	//#endregion restrict
}

export async function lists({ notify }: ServerTransport): Promise<void> {
	//#region lists
	await Promise.all([notify.toolsChanged(), notify.promptsChanged(), notify.resourcesChanged()]);
	//#endregion lists
}
