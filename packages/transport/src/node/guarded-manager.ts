import { InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager';
import { isThenable, type MaybePromise, type StreamAttachment } from '@holdfast/session-manager/custom';
import { toError } from '@holdfast/session-manager/internal';

type Manager = InfoSessionManager | StreamSessionManager;

/** What a method must return. */
interface Shape {
	/** In the words of an error: `X must return …`. */
	readonly wanted: string;
	/** Whether `result` is that, for the first argument of the call. */
	readonly fits: (result: unknown, first: unknown) => boolean;
	/** Whether the method may also return nothing; `null` counts as nothing. */
	readonly isOptional?: true;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isText = (value: unknown): value is string => typeof value === 'string';

const boolean: Shape = { wanted: '`true` or `false`', fits: (result) => typeof result === 'boolean' };
const texts: Shape = {
	wanted: 'an array of strings',
	fits: (result) => Array.isArray(result) && result.every(isText),
};

/** What the methods of an info manager must return. */
const infoShapes: Readonly<Record<string, Shape>> = {
	create: boolean,
	read: {
		wanted: 'the record of the session that was asked for, or `undefined`',
		fits: isRecordOf,
		isOptional: true,
	},
	update: boolean,
	touch: boolean,
	delete: boolean,
	addSubscription: boolean,
	removeSubscription: boolean,
	getSubscriptions: texts,
	getSubscribedUris: texts,
	readState: {
		wanted: 'a version and a value, both strings, or `undefined`',
		fits: (stored) => isObject(stored) && isText(stored['version']) && isText(stored['value']),
		isOptional: true,
	},
	listState: {
		wanted: 'a Map',
		fits: (values) => isObject(values) && typeof values[Symbol.iterator as never] === 'function',
	},
	writeState: boolean,
	scan: {
		wanted: 'an object with an array of `records`',
		fits: (page) => isObject(page) && Array.isArray(page['records']),
	},
	end: boolean,
	readEnded: {
		wanted: 'the ended session that was asked for, or `undefined`',
		fits: (ended, id) => isObject(ended) && typeof ended['endedAt'] === 'number' && isRecordOf(ended['record'], id),
		isOptional: true,
	},
	endUnused: { wanted: 'the id of the session that ended, or `undefined`', fits: isText, isOptional: true },
	sessionsOf: texts,
	removeExpired: { wanted: 'a number', fits: (freed) => typeof freed === 'number' },
	nodes: {
		wanted: 'an array of nodes',
		fits: (nodes) => Array.isArray(nodes) && nodes.every((node) => isObject(node)),
	},
	setClientInfo: boolean,
	setClientCapabilities: boolean,
	setLogLevel: boolean,
};

/** What the methods of a stream manager must return. */
const streamShapes: Readonly<Record<string, Shape>> = {
	create: {
		wanted: 'a StreamAttachment, or `undefined`',
		fits: (attachment) => isObject(attachment) && typeof attachment['detach'] === 'function',
		isOptional: true,
	},
	has: boolean,
};

/** One guard for each manager, however many nodes of this process share it. */
const guards = new WeakMap<Manager, Manager>();

/**
 * Returns the manager behind a guard, through which this node calls it. Whatever a method does, its caller sees a plain
 * value or a native promise: a throw is a rejection, and a thenable is followed once. A result of another shape than
 * the contract says is a rejection too, so that a session that the store does not know is never let through.
 */
export function guardedInfo(manager: InfoSessionManager): InfoSessionManager {
	return guarded(manager, InfoSessionManager.prototype, infoShapes);
}

/** The same for a stream manager. A `detach` that fails is reported by the manager's `onerror`. */
export function guardedStreams(manager: StreamSessionManager): StreamSessionManager {
	return guarded(manager, StreamSessionManager.prototype, streamShapes, (result) =>
		isObject(result) ? new GuardedAttachment(manager, result as unknown as StreamAttachment) : result,
	);
}

function guarded<T extends Manager>(
	manager: T,
	contract: object,
	shapes: Readonly<Record<string, Shape>>,
	adapt: (result: unknown) => unknown = (result) => result,
): T {
	const known = guards.get(manager);
	if (known !== undefined) return known as T;
	// Not the manager itself is the target: one that is frozen could not be guarded then.
	const calls = new Map<PropertyKey, { readonly member: unknown; readonly call: unknown }>();
	const guard = new Proxy<T>(Object.create(Object.getPrototypeOf(manager)) as T, {
		get(_target, name) {
			const member: unknown = Reflect.get(manager, name);
			// What the contract's own class does, it does through the guard.
			if (typeof member !== 'function' || member === Reflect.get(contract, name)) return member;
			const known = calls.get(name);
			if (known?.member === member) return known.call;
			const call = (...args: unknown[]) =>
				settled(
					() => Reflect.apply(member, manager, args),
					(result) => adapt(checked(manager, name, shapes[name as string], result, args[0])),
				);
			calls.set(name, { member, call });
			return call;
		},
		set: (_target, name, value) => Reflect.set(manager, name, value),
	});
	guards.set(manager, guard);
	return guard;
}

/** Returns the outcome of `call`, checked by `next`, as a plain value or a native promise. Never throws. */
function settled(call: () => unknown, next: (result: unknown) => unknown): MaybePromise<unknown> {
	try {
		const result = call();
		return isThenable(result) ? Promise.resolve(result).then(next) : next(result);
	} catch (error) {
		return Promise.reject(error);
	}
}

function checked(
	manager: Manager,
	name: PropertyKey,
	shape: Shape | undefined,
	result: unknown,
	first: unknown,
): unknown {
	if (shape === undefined || shape.fits(result, first)) return result;
	if (shape.isOptional && (result === undefined || result === null)) return undefined;
	const method = `${manager.constructor.name}.${String(name)}`;
	throw new TypeError(`${method} must return ${shape.wanted}, or a promise of it.`);
}

/** An attachment behind a guard. A node keeps one for each open stream. */
class GuardedAttachment implements StreamAttachment {
	readonly continuation: StreamAttachment['continuation'];
	readonly #manager: Manager;
	readonly #attachment: StreamAttachment;

	constructor(manager: Manager, attachment: StreamAttachment) {
		this.continuation = attachment.continuation;
		this.#manager = manager;
		this.#attachment = attachment;
	}

	detach(): void {
		const detached = settled(
			() => this.#attachment.detach(),
			(result) => result,
		);
		if (isThenable(detached)) Promise.resolve(detached).catch((error: unknown) => this.#report(error));
	}

	#report(error: unknown): void {
		try {
			this.#manager.onerror?.(toError(error));
		} catch {
			// The client is gone whatever the handler does.
		}
	}
}

/** What everything else relies on. A record of another session must not stand in for one that is unknown. */
function isRecordOf(record: unknown, id: unknown): boolean {
	return (
		isObject(record) &&
		record['id'] === id &&
		isText(record['protocolVersion']) &&
		isObject(record['initializeParams']) &&
		isObject(record['serverCapabilities']) &&
		typeof record['createdAt'] === 'number' &&
		typeof record['lastUsedAt'] === 'number'
	);
}
