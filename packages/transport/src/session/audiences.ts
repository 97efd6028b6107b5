import type { MaybePromise } from '@holdfast/session-manager';
import { shown } from '@holdfast/session-manager/internal';

/**
 * Returns whether somebody may hear of a resource. `principal` is as `session.principal` names it: `undefined` where
 * nobody is signed in, and `credential:` with a hash where a credential names nobody.
 */
export type Audience = (principal: string | undefined) => MaybePromise<boolean>;

/**
 * Returns who may hear that the resource `uri` changes; `undefined` for everybody. It is asked `on` two occasions: when
 * somebody subscribes or listens, and again before each notice.
 */
export type AudienceOf = (uri: string, on: 'subscribe' | 'notice') => Audience | undefined;

/** How many principals are asked about at once. */
const SLICE = 100;

/** Who of some may hear of a resource. */
export interface Admission<T> {
	readonly admitted: readonly T[];
	/** Of whom nobody could say. */
	readonly unknown: readonly T[];
	/** Why not. */
	readonly error?: unknown;
}

/** Who may hear of resources, where not everybody may. */
export class Audiences {
	readonly #rules: AudienceOf[] = [];

	/** Whether everybody may hear of everything. */
	get isOpen(): boolean {
		return this.#rules.length === 0;
	}

	/** Adds a rule. Of a resource hears only who every rule admits. */
	add(audienceOf: AudienceOf): void {
		if (typeof audienceOf !== 'function')
			throw new TypeError(`What restricts notices must be a function that takes a URI, not ${shown(audienceOf)}.`);
		this.#rules.push(audienceOf);
	}

	/**
	 * Returns who may hear of a resource now, where each principal is asked about once; `undefined` for everybody. Where
	 * a rule throws, nobody can say of anybody.
	 */
	of(uri: string, on: 'subscribe' | 'notice'): ((principal: string | undefined) => Promise<boolean>) | undefined {
		if (this.isOpen) return undefined;
		let audiences: Audience[];
		try {
			audiences = this.#rules.map((rule) => checked(rule(uri, on))).filter((audience) => audience !== undefined);
		} catch (error) {
			return () => Promise.reject(error);
		}
		if (audiences.length === 0) return undefined;
		const known = new Map<string | undefined, Promise<boolean>>();
		return (principal) => {
			const asked = known.get(principal) ?? admits(audiences, principal);
			known.set(principal, asked);
			return asked;
		};
	}
}

/** Returns which of `candidates` are admitted. Never rejects. */
export async function admission<T>(
	candidates: readonly T[],
	isAdmitted: (candidate: T) => Promise<boolean>,
): Promise<Admission<T>> {
	const admitted: T[] = [];
	const unknown: T[] = [];
	let error: unknown;
	for (let start = 0; start < candidates.length; start += SLICE) {
		const slice = candidates.slice(start, start + SLICE);
		const outcomes = await Promise.allSettled(slice.map(isAdmitted));
		for (const [index, candidate] of slice.entries()) {
			const outcome = outcomes[index];
			if (outcome?.status === 'rejected') {
				unknown.push(candidate);
				error ??= outcome.reason;
			} else if (outcome?.value) admitted.push(candidate);
		}
	}
	return { admitted, unknown, ...(unknown.length > 0 && { error }) };
}

async function admits(audiences: readonly Audience[], principal: string | undefined): Promise<boolean> {
	for (const audience of audiences) {
		const isAdmitted = await audience(principal);
		if (typeof isAdmitted !== 'boolean')
			throw new TypeError(`Who may hear of a resource must be told by a boolean, not ${shown(isAdmitted)}.`);
		if (!isAdmitted) return false;
	}
	return true;
}

function checked(audience: Audience | undefined): Audience | undefined {
	if (audience === undefined || typeof audience === 'function') return audience;
	throw new TypeError(`What restricts notices must return a function or undefined, not ${shown(audience)}.`);
}
