import type { Clock, JsonObject } from '@holdfast/session-manager';
import type { Observation, Operation } from '../node/observer.js';
import { isObject, type JsonRpcRequest, type JsonRpcResponse, type RequestId } from '../protocol/json-rpc.js';

/** What all operations of a session have in common. */
export type OperationHome = Pick<Operation, 'sessionId' | 'protocolVersion'>;

/** An operation that has begun. */
export interface BegunOperation {
	readonly operation: Operation;
	/** On the monotonic clock. */
	readonly begunAt: number;
}

/** Tells the observers of the operations of one session. */
export class Operations {
	readonly #clock: Clock;
	readonly #observation: Observation;
	readonly #home: () => OperationHome;

	constructor(clock: Clock, observation: Observation, home: () => OperationHome) {
		this.#clock = clock;
		this.#observation = observation;
		this.#home = home;
	}

	/** A request begins to run; `requestId` is its id on the wire. */
	begin(servedBy: Operation['servedBy'], request: JsonRpcRequest, requestId: RequestId = request.id): BegunOperation {
		const { method, params } = request;
		const meta = params?.['_meta'];
		const operation: Operation = {
			servedBy,
			method,
			requestId,
			...this.#home(),
			...(namedMethods.has(method) && { name: textOf(params?.['name']) }),
			...(method.startsWith('resources/') && { uri: textOf(params?.['uri']) }),
			...(isObject(meta) && { meta: meta as JsonObject }),
		};
		this.#observation.emit({ type: 'operation-started', operation });
		return { operation, begunAt: this.#clock.monotonic() };
	}

	/** Passes the request to whoever serves it. */
	run({ operation }: BegunOperation, work: () => void): void {
		this.#observation.run(operation, work);
	}

	/** A request is over. */
	end({ operation, begunAt }: BegunOperation, error: string | undefined): void {
		this.#observation.emit({
			type: 'operation-ended',
			operation,
			durationMs: this.#clock.monotonic() - begunAt,
			...(error !== undefined && { error }),
		});
	}
}

const namedMethods: ReadonlySet<string> = new Set(['tools/call', 'prompts/get']);

/** Returns what a response says of how its operation ended: the code of an error, `tool_error`, or nothing. */
export function errorOf(response: JsonRpcResponse): string | undefined {
	if ('error' in response) return String(response.error.code);
	return response.result['isError'] === true ? 'tool_error' : undefined;
}

function textOf(value: unknown): string | undefined {
	return typeof value === 'string' ? value : undefined;
}
