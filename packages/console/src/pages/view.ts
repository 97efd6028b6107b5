import type { InfoSessionManager } from '@holdfast/session-manager';
import type { ServerTransport } from '@holdfast/transport';
import type { Activity } from '../activity.js';
import type { Census } from '../data/census.js';
import type { Examination } from '../data/examination.js';
import type { Pulse } from '../data/pulse.js';
import type { SessionFinder } from '../data/session-finder.js';
import type { Html } from '../html/html.js';
import type { Reply } from '../http/reply.js';
import type { Secrets } from '../http/secrets.js';

/** What operators may do from the console, besides looking. */
export type ConsoleAction = 'suspend' | 'end' | 'export' | 'erase';

/** What the console uses of a transport. */
export type ConsoleTransport = Pick<ServerTransport, 'nodeId' | 'nodes' | 'terminate' | 'suspend' | 'principals'>;

/** What the console uses of the `Conversations` of `@holdfast/conversations`. */
export interface ConsoleConversations {
	readonly persons: {
		count(principal: string): Promise<{ readonly own: number; readonly others: number; readonly damaged: number }>;
		/** Returns the same persons with these sessions, so that both are exported and erased in one step. */
		withSessions(sessions: {
			export(principal: string): ReturnType<ConsoleTransport['principals']['export']>;
			erase(principal: string): Promise<number>;
		}): { export(principal: string): Promise<object>; erase(principal: string): Promise<object> };
	};
}

/** What all pages are made from. */
export interface ConsoleParts {
	readonly transport: ConsoleTransport;
	readonly info: InfoSessionManager;
	/** Absent where the console knows of none. */
	readonly conversations: ConsoleConversations | undefined;
	readonly activity: Activity | undefined;
	readonly actions: ReadonlySet<ConsoleAction>;
	readonly pulse: Pulse;
	readonly census: Census;
	readonly finder: SessionFinder;
	readonly secrets: Secrets;
	/** What the doctor found; absent where there is none. */
	readonly examination: Examination | undefined;
}

/** One request for a page. */
export interface View extends ConsoleParts {
	/** From this page to the console's first one: `./` or `../`. */
	readonly root: string;
	readonly query: URLSearchParams;
	/** The fields of a form that was sent. */
	readonly form: URLSearchParams;
	/** The parts of the address that vary. */
	readonly names: readonly string[];
	/** The date, in milliseconds since the Unix epoch. */
	readonly now: number;
	/** Who asks. */
	readonly operator: string;
}

/** A page of the console. */
export interface Page {
	readonly status?: number;
	readonly title: string;
	/** Which entry of the navigation it belongs to. */
	readonly place?: string;
	readonly content: Html;
}

/** Answers a request: with a page, or with anything else that can be sent. */
export type Handler = (view: View) => Promise<Page | Reply>;

/** Returns the address of a page of the console. Empty values of the query are left out. */
export function to(
	{ root }: Pick<View, 'root'>,
	path: string,
	query: Readonly<Record<string, string | number | undefined>> = {},
): string {
	const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
	const text = new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)]))).toString();
	return `${root}${path}${text === '' ? '' : `?${text}`}`;
}

/** Returns a number of the query: 0 for anything that is none, or too large to be one. */
export function numberOf({ query }: View, name: string): number {
	const text = query.get(name) ?? '';
	return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}
