import type { ObservedEvent, Operation } from '@holdfast/transport';
import { attribute, knownMethods, OTHER } from './conventions.js';
import { KnownValues } from './known-values.js';
import { type Metric, metrics } from './metrics.js';

/** Values of labels, by name. */
export type Labels = Readonly<Record<string, string | number | boolean>>;

/** Takes measurements: a duration in seconds for a histogram, 1 for a counter, and what a gauge shows from now on. */
export type Recorder = (metric: Metric, value: number, labels: Labels) => void;

/** How many tools and prompts are told apart. */
const MAX_NAMES = 200;
/** How many kinds of errors are told apart. */
const MAX_ERRORS = 50;

/** Reasons of Holdfast itself, for which sessions end; whatever a program or a client writes is `other`. */
const endings: ReadonlyMap<string, string> = new Map([
	['expired', 'expired'],
	['erased', 'erased'],
	['the client ended it', 'client'],
	['its stream ended', 'stream'],
	['its stream is gone', 'stream'],
	['its stream could not be opened', 'stream'],
	['a newer session took its place', 'replaced'],
	['the store was full', 'full'],
]);

const network: Labels = { [attribute.networkTransport]: 'tcp', [attribute.networkProtocol]: 'http' };

/**
 * Turns events into measurements, the same for every exporter. No label names a session or a principal, and none has
 * more than a few hundred values: a tool or prompt is one once a call of it succeeded.
 */
export class Measure {
	readonly #record: Recorder;
	readonly #names = new KnownValues(MAX_NAMES);
	readonly #errors = new KnownValues(MAX_ERRORS);

	constructor(record: Recorder) {
		this.#record = record;
	}

	take(event: ObservedEvent): void {
		const record = this.#record;
		switch (event.type) {
			case 'operation-ended':
				return this.#operation(event.operation, event.durationMs, event.error);
			case 'session-opened':
				return record(metrics.sessionsOpened, 1, { [attribute.protocolVersion]: event.protocolVersion });
			case 'session-ended': {
				const { protocolVersion, durationMs, reason } = event;
				record(metrics.sessionsEnded, 1, { [attribute.reason]: endings.get(reason) ?? 'other' });
				if (durationMs === undefined || protocolVersion === undefined) return;
				const labels = { ...network, [attribute.protocolVersion]: protocolVersion };
				return record(metrics.sessionDuration, durationMs / 1_000, labels);
			}
			case 'session-suspended':
				return record(metrics.sessionsSuspended, 1, {});
			case 'session-restored':
				return record(metrics.sessionsRestored, 1, {});
			case 'stream-opened':
				return record(metrics.streamsOpened, 1, { [attribute.streamKind]: event.kind });
			case 'takeover':
				return record(metrics.takeovers, 1, {});
			case 'replay':
				return record(metrics.replays, 1, { [attribute.streamKind]: event.kind });
			case 'gap':
				return record(metrics.gaps, 1, {});
			case 'refusal':
				return record(metrics.refusals, 1, {
					[attribute.reason]: event.reason,
					[attribute.httpStatus]: event.status,
				});
			case 'store-call':
				return record(metrics.storeDuration, event.durationMs / 1_000, {
					[attribute.storeManager]: event.manager,
					[attribute.storeMethod]: event.method,
					...this.#errorLabel(event.error),
				});
			case 'audit':
				return record(metrics.audits, 1, { [attribute.action]: event.action, [attribute.done]: event.done });
			case 'conversation-created':
				if (event.error === undefined) record(metrics.conversationsCreated, 1, {});
				return record(metrics.conversationDuration, event.durationMs / 1_000, this.#errorLabel(event.error));
			case 'conversations-counted':
				for (const state of ['active', 'suspended', 'terminated'] as const) {
					record(metrics.conversations, event[state], { [attribute.conversationState]: state });
				}
				record(metrics.conversationSize, event.averageBytes, {});
				record(metrics.conversationAge, event.oldestAgeMs / 1_000, {});
				return record(metrics.conversationsCached, event.cached, {});
			default:
				return;
		}
	}

	#operation(operation: Operation, durationMs: number, error: string | undefined): void {
		const { servedBy, method, name, protocolVersion } = operation;
		if (name !== undefined && error === undefined) this.#names.admit(name);
		const isServers = servedBy === 'server';
		this.#record(isServers ? metrics.operationDuration : metrics.clientOperationDuration, durationMs / 1_000, {
			...network,
			[attribute.method]: knownMethods.has(method) ? method : OTHER,
			...(protocolVersion !== undefined && { [attribute.protocolVersion]: protocolVersion }),
			...nameAttributes(method, name === undefined ? undefined : this.#names.of(name)),
			...this.#errorLabel(error),
		});
	}

	#errorLabel(error: string | undefined): Labels {
		if (error === undefined) return {};
		this.#errors.admit(error);
		return errorAttributes(this.#errors.of(error));
	}
}

/** Returns what the conventions say of a tool or a prompt. */
export function nameAttributes(method: string, name: string | undefined): Labels {
	if (method === 'tools/call')
		return { [attribute.operationName]: 'execute_tool', ...(name !== undefined && { [attribute.toolName]: name }) };
	return name === undefined ? {} : { [attribute.promptName]: name };
}

/** Returns what the conventions say of an error. */
export function errorAttributes(error: string | undefined): Labels {
	if (error === undefined) return {};
	return { [attribute.errorType]: error, ...(/^-?\d+$/.test(error) && { [attribute.statusCode]: error }) };
}
