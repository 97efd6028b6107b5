import type { InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager';
import { type Clock, SessionManagerError } from '@holdfast/session-manager';
import { isThenable } from '@holdfast/session-manager/custom';
import { toError } from '@holdfast/session-manager/internal';
import type { Observation } from './observer.js';

/** Returns the manager, with each call of it observed. `contract` is the prototype of its contract. */
export function observedManager<T extends InfoSessionManager | StreamSessionManager>(
	manager: T,
	contract: object,
	name: 'info' | 'streams',
	clock: Clock,
	observation: Observation,
): T {
	const calls = new Map<PropertyKey, { readonly member: unknown; readonly call: unknown }>();
	return new Proxy<T>(Object.create(Object.getPrototypeOf(manager)) as T, {
		get(_target, method) {
			const member: unknown = Reflect.get(manager, method);
			// What the contract's own class does, it does through the methods of this proxy.
			if (typeof member !== 'function' || member === Reflect.get(contract, method)) return member;
			const known = calls.get(method);
			if (known?.member === member) return known.call;
			const call = (...args: unknown[]) => {
				const begun = clock.monotonic();
				const over = (error?: unknown) =>
					observation.emit({
						type: 'store-call',
						manager: name,
						method: String(method),
						durationMs: clock.monotonic() - begun,
						...(error !== undefined && { error: nameOf(error) }),
					});
				const result: unknown = Reflect.apply(member, manager, args);
				if (isThenable(result)) Promise.resolve(result).then(() => over(), over);
				else over();
				return result;
			};
			calls.set(method, { member, call });
			return call;
		},
		set: (_target, property, value) => Reflect.set(manager, property, value),
	});
}

/** A name out of few: the text of an error may hold anything. */
function nameOf(error: unknown): string {
	return error instanceof SessionManagerError ? error.code : toError(error).name;
}
