/** What the parent of many clients hears, with times in nanoseconds of the machine's monotonic clock. */
export type FanoutReport =
	| { readonly open: number }
	/** After the server was gone: when the first client noticed, and when the last one had its stream again. */
	| { readonly lostAt: number; readonly openAt: number }
	| { readonly first: number; readonly last: number }
	| { readonly error: string };

/** Stands for a client without a session, which asks for a listen stream. */
export const LISTEN = '-';
