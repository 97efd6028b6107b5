/** What the parent of many clients hears, with times in nanoseconds of the machine's monotonic clock. */
export type FanoutReport =
	| { readonly open: number }
	| { readonly first: number; readonly last: number }
	| { readonly error: string };

/** Stands for a client without a session, which asks for a listen stream. */
export const LISTEN = '-';
