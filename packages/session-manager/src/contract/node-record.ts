/** A node as it announces itself to the others and to operators. */
export interface NodeRecord {
	/** The random name that the node gave itself at start. */
	readonly id: string;
	/** The version of the program that runs there. */
	readonly version: string;
	/** Where the node can be reached, if it says so. */
	readonly address?: string | undefined;
	/** When the node started, in milliseconds since the Unix epoch by its own clock. */
	readonly startedAt: number;
	/** `draining` once the node takes no new clients. */
	readonly state: 'ready' | 'draining';
	/** What the node holds, such as `sessions`. */
	readonly counts: Readonly<Record<string, number>>;
}
