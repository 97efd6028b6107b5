import { runInNewContext } from 'node:vm';
import { InfoSessionManager, StreamSessionManager } from '@holdfast/session-manager/custom';

/** A way to hand a value over later that is no promise of this realm. */
export interface Flavour {
	readonly name: string;
	later<T>(work: () => T): PromiseLike<T>;
}

type Then<T> = PromiseLike<T>['then'];
type Settle<T> = (resolve: (value: T) => void, reject: (reason: unknown) => void) => void;

/** The least that `await` takes: a `then` that returns nothing. */
export function bare<T>(settle: Settle<T>): PromiseLike<T> {
	const then = (resolve: (value: T) => void, reject: (reason: unknown) => void) => settle(resolve, reject);
	// biome-ignore lint/suspicious/noThenProperty: this is what the tests are about.
	return { then: then as Then<T> };
}

/** A query as of knex or Prisma: it starts with `then`, and each time that is called. */
export function lazily<T>(work: () => T, onstart: () => void = () => {}): PromiseLike<T> {
	return bare((resolve, reject) => {
		onstart();
		setImmediate(() => {
			try {
				resolve(work());
			} catch (error) {
				reject(error);
			}
		});
	});
}

const foreign = runInNewContext('(work) => new (class extends Promise {})((resolve) => resolve()).then(work)') as <T>(
	work: () => T,
) => PromiseLike<T>;

export const flavours: readonly Flavour[] = [
	{ name: 'a query that starts with then', later: (work) => lazily(work) },
	{ name: 'a promise of another realm', later: (work) => foreign(work) },
	{ name: 'a thenable that calls back at once', later: (work) => bare((resolve) => resolve(work())) },
	{
		name: 'a thenable that calls back twice',
		later: (work) =>
			bare((resolve, reject) => {
				resolve(work());
				resolve(undefined as never);
				reject(new Error('twice'));
			}),
	},
	{
		name: 'a thenable that calls back and throws',
		later: (work) =>
			bare((resolve) => {
				resolve(work());
				throw new Error('after the callback');
			}),
	},
	{
		name: 'a function with a then',
		later: (work) =>
			Object.assign(
				() => {},
				bare<ReturnType<typeof work>>((resolve) => resolve(work())),
			),
	},
];

type Manager = InfoSessionManager | StreamSessionManager;
type Call = (method: string, work: () => unknown) => unknown;

/** `manager`, of which each method that the contract names goes through `call`. */
export function variantOf<T extends Manager>(manager: T, call: Call): T {
	const contract = manager instanceof InfoSessionManager ? InfoSessionManager : StreamSessionManager;
	return new Proxy(manager, {
		get(target, name) {
			const member: unknown = Reflect.get(target, name);
			if (typeof member !== 'function' || typeof name !== 'string' || name === 'constructor' || name === 'stats')
				return member;
			if (member === Reflect.get(contract.prototype, name)) return member;
			return (...args: unknown[]) => call(name, () => Reflect.apply(member, target, args));
		},
		set: (target, name, value) => Reflect.set(target, name, value),
	});
}
