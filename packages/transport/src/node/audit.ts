import type { MaybePromise } from '@holdfast/session-manager';
import type { NodeContext } from './node-context.js';
import type { ObservedEvent } from './observer.js';

type AuditEvent = Extract<ObservedEvent, { readonly type: 'audit' }>;

/** What an operator's program asks for. */
export type AuditEntry = Omit<AuditEvent, 'type' | 'at' | 'done'>;

/** Does `work`, and tells whoever watches the node once it is over. `isDone` says whether its result means that. */
export async function audited<T>(
	{ observation, clock }: NodeContext,
	entry: AuditEntry,
	work: () => MaybePromise<T>,
	isDone: (result: T) => boolean = () => true,
): Promise<T> {
	let done = false;
	try {
		const result = await work();
		done = isDone(result);
		return result;
	} finally {
		observation?.emit({ type: 'audit', ...entry, at: clock.now(), done });
	}
}
