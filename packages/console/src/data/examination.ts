import type { Clock } from '@holdfast/session-manager';
import { toError } from '@holdfast/session-manager/internal';

/** What a doctor found; `diagnose` of `@holdfast/cli` returns it. */
export interface ConsoleDiagnosis {
	readonly findings: readonly { readonly code: string; readonly what: string; readonly repair: string }[];
	/** What was examined. */
	readonly examined: readonly string[];
}

/** Looks for what is wrong. It may take a minute. */
export type Diagnose = () => Promise<ConsoleDiagnosis>;

/** Lets the doctor look when an operator asks for it, and keeps what it found last. */
export class Examination {
	/** Called when an examination has begun or is over. */
	onchange: () => void = () => {};
	readonly #diagnose: Diagnose;
	readonly #clock: Clock;
	#last: { readonly diagnosis: ConsoleDiagnosis; readonly at: number } | undefined;
	#error: string | undefined;
	#startedAt: number | undefined;

	constructor(diagnose: Diagnose, clock: Clock) {
		this.#diagnose = diagnose;
		this.#clock = clock;
	}

	/** What was found last, and when that was. */
	get last(): { readonly diagnosis: ConsoleDiagnosis; readonly at: number } | undefined {
		return this.#last;
	}

	/** Why the last examination came to nothing. */
	get error(): string | undefined {
		return this.#error;
	}

	/** When the examination that runs now began; `undefined` where none does. */
	get startedAt(): number | undefined {
		return this.#startedAt;
	}

	/** Begins an examination, unless one runs. */
	begin(): void {
		if (this.#startedAt !== undefined) return;
		this.#startedAt = this.#clock.now();
		this.onchange();
		void this.#run();
	}

	async #run(): Promise<void> {
		this.#error = undefined;
		try {
			this.#last = { diagnosis: await this.#diagnose(), at: this.#clock.now() };
		} catch (error) {
			this.#error = toError(error).message;
		}
		this.#startedAt = undefined;
		this.onchange();
	}
}
