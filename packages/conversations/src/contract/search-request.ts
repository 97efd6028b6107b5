/** What a search looks through. */
export type SearchKind = 'message' | 'context' | 'discovery';

/** Words that must follow each other; with `prefix` the last of them is the beginning of a word. */
export interface SearchTerm {
	/** As {@link tokensOf} returns them; at least one. */
	readonly words: readonly string[];
	readonly prefix: boolean;
}

/** What to search for, and where: in one conversation, or in all in which somebody takes part. */
export interface SearchRequest {
	readonly terms: readonly SearchTerm[];
	readonly conversation?: string | undefined;
	/** Only conversations of which they are owner, writer or reader. */
	readonly principal?: string | undefined;
	readonly kinds?: readonly SearchKind[] | undefined;
	readonly limit: number;
}

/** Something that was found. */
export interface SearchCandidate {
	readonly conversation: string;
	readonly kind: SearchKind;
	/** The number of the message or discovery. */
	readonly number?: number | undefined;
	/** The key of the value in the context. */
	readonly key?: string | undefined;
	/** The text that was searched. */
	readonly text: string;
	readonly at: number;
	/** The relevance of a discovery. */
	readonly relevance?: number | undefined;
	readonly archived: boolean;
	/** How well it matches, above 0; higher is better. Comparable within one result. */
	readonly score: number;
}
