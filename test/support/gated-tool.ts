import { Happening } from './deadline.ts';
import type { Call, Tool } from './servers.ts';

/** A tool that says when it was called, and answers when, and what, it is told to. */
export interface GatedTool {
	readonly tool: Tool;
	/** It was called. */
	readonly arrived: Happening<Call>;
	/** What it answers. */
	readonly go: Happening<string>;
}

/** Makes a tool that is in the test's hands; for one call. */
export function gatedTool(): GatedTool {
	const arrived = new Happening<Call>('the call of a tool');
	const go = new Happening<string>('the go-ahead for a tool');
	return {
		arrived,
		go,
		tool: (call) => {
			arrived.happen(call);
			return go.wait();
		},
	};
}
