import { ErrorCode, type JsonRpcFailure } from '@holdfast/transport/internal';

/** A question for the client, such as SDK v2's `inputRequired.elicit(…)` makes it. */
export type InputRequest = { readonly method: string; readonly params?: object | undefined };

/** What a client must be able to do so that it can be asked something: a capability, or a member of one. */
type Ability = 'elicitation.form' | 'elicitation.url' | 'sampling' | 'sampling.tools' | 'roots';

/** The work asks a client that can be asked nothing, or not this. */
export class CannotAskError extends Error {
	override readonly name = 'CannotAskError';
	readonly code = ErrorCode.MISSING_CLIENT_CAPABILITY;
	readonly data: JsonRpcFailure['error']['data'];

	constructor(message: string, data?: object) {
		super(message);
		this.data = data;
	}
}

/**
 * Returns what a client with these capabilities can be asked (2026-07-28, Elicitation, Sampling, Roots). Who declares
 * elicitation and none of its modes can be shown forms.
 */
export function abilitiesOf(capabilities: unknown): string[] {
	const { elicitation, sampling, roots } = capabilities as Record<string, Record<string, unknown> | undefined>;
	const { form, url } = elicitation ?? {};
	const can: Record<Ability, boolean> = {
		'elicitation.form': form !== undefined || (elicitation !== undefined && url === undefined),
		'elicitation.url': url !== undefined,
		sampling: sampling !== undefined,
		'sampling.tools': sampling?.['tools'] !== undefined,
		roots: roots !== undefined,
	};
	return Object.entries(can).flatMap(([ability, has]) => (has ? [ability] : []));
}

/** Throws where a client with these abilities cannot be asked this. */
export function checkAbility(abilities: readonly string[], { method, params }: InputRequest): void {
	const needed = abilityFor(method, (params ?? {}) as Readonly<Record<string, unknown>>);
	if (needed === undefined || abilities.includes(needed)) return;
	const [capability = '', member] = needed.split('.');
	throw new CannotAskError(`The client cannot be asked with ${method}: it did not declare ${needed}.`, {
		requiredCapabilities: { [capability]: member === undefined ? {} : { [member]: {} } },
	});
}

function abilityFor(method: string, params: Readonly<Record<string, unknown>>): Ability | undefined {
	switch (method) {
		case 'elicitation/create':
			return params['mode'] === 'url' ? 'elicitation.url' : 'elicitation.form';
		case 'sampling/createMessage':
			return params['tools'] === undefined && params['toolChoice'] === undefined ? 'sampling' : 'sampling.tools';
		case 'roots/list':
			return 'roots';
		default:
			return undefined;
	}
}
