import type { Clock, StreamSessionManager } from '@holdfast/session-manager';
import { SessionManagerError, systemClock, whenReady } from '@holdfast/session-manager/custom';
import { toError } from '@holdfast/session-manager/internal';
import {
	CHANGES,
	guardedStreams,
	type JsonRpcNotification,
	listenToChanges,
	messageEvent,
} from '@holdfast/transport/internal';

/** A change, as SDK v2 names it (`ServerEvent`). */
export type ChangeEvent = (
	| { kind: 'tools_list_changed' }
	| { kind: 'prompts_list_changed' }
	| { kind: 'resources_list_changed' }
	| { kind: 'resource_updated'; uri: string }
) & { params?: Record<string, unknown> };

/** Carries changes between the nodes of a server: the `bus` of SDK v2's `createMcpHandler`. */
export interface ChangeBus {
	/** Tells every node of a change. What goes wrong is told to `onerror` of the manager. */
	publish(event: ChangeEvent): void;
	/** Hears the changes of every node, from about now on. Returns a function that stops it. */
	subscribe(listener: (event: ChangeEvent) => void): () => void;
}

/** Options of {@link holdfastEventBus}. */
export interface ChangeBusOptions {
	/**
	 * The clock that all timers use.
	 * @default the clock of the machine
	 */
	readonly clock?: Clock;
}

/** How long it takes until a bus listens again that could not, in milliseconds. */
const LISTEN_AGAIN_MS = 1_000;

const methods = {
	tools_list_changed: 'notifications/tools/list_changed',
	prompts_list_changed: 'notifications/prompts/list_changed',
	resources_list_changed: 'notifications/resources/list_changed',
} as const;

type ListKind = keyof typeof methods;
const LIST_KINDS = Object.keys(methods) as ListKind[];

/**
 * Returns a bus for those who keep SDK v2's `createMcpHandler`: a change that one node publishes reaches the listen
 * streams of every node, and so does what `HttpTransport.notify` tells through the same manager. A changed list reaches
 * sessions too, a changed resource does not: use `HttpTransport.notify` where there are sessions. Where changes may
 * have been missed, subscribers hear of each list once.
 *
 * @example
 * ```ts source="test/examples/event-bus.examples.ts#bus"
 * const handler = createMcpHandler(createMcpServer, { bus: holdfastEventBus(streams) });
 * handler.notify.toolsChanged(); // reaches the clients of every node
 * ```
 */
export function holdfastEventBus(
	streams: StreamSessionManager,
	{ clock = systemClock }: ChangeBusOptions = {},
): ChangeBus {
	const guarded = guardedStreams(streams);
	const listeners = new Set<(event: ChangeEvent) => void>();
	const report = (error: unknown) => streams.onerror?.(toError(error));
	const tell = (event: ChangeEvent) => {
		for (const listener of listeners) listener(event);
	};
	const tellAll = () => {
		for (const kind of LIST_KINDS) tell({ kind });
	};
	let stop: Promise<() => void> | undefined;
	let failedFor: string | undefined;
	const start = () => {
		const opening = listenToChanges(guarded, {
			onchange: (notification) => tell(eventOf(notification)),
			ongap: tellAll,
		});
		stop = opening;
		opening.then(
			() => {
				failedFor = undefined;
				// Whoever came before the feed was open may have missed something.
				tellAll();
			},
			(error: unknown) => {
				// The same reason is told once.
				const { message } = toError(error);
				if (message !== failedFor) report(error);
				failedFor = message;
				// A manager that was closed stays so.
				if (error instanceof SessionManagerError && error.code === 'closed') return;
				clock.after(LISTEN_AGAIN_MS, () => {
					if (stop === opening) start();
				});
			},
		);
	};
	return {
		publish({ kind, params, ...rest }) {
			const uri = 'uri' in rest ? rest.uri : undefined;
			const method = kind === 'resource_updated' ? 'notifications/resources/updated' : methods[kind];
			const all = uri === undefined ? params : { ...params, uri };
			const data = messageEvent(JSON.stringify({ jsonrpc: '2.0', method, ...(all && { params: all }) }));
			const sent = whenReady(guarded.send(uri === undefined ? undefined : [CHANGES], data), () => {});
			Promise.resolve(sent).catch(report);
		},
		subscribe(listener) {
			listeners.add(listener);
			if (stop === undefined) start();
			return () => {
				if (!listeners.delete(listener) || listeners.size > 0) return;
				stop?.then(
					(stopFeed) => stopFeed(),
					() => {},
				);
				stop = undefined;
			};
		},
	};
}

function eventOf({ method, params }: JsonRpcNotification): ChangeEvent {
	const kind = LIST_KINDS.find((list) => methods[list] === method);
	const { uri, ...others } = params ?? {};
	const more = Object.keys(others).length > 0 ? { params: others } : {};
	return kind === undefined ? { kind: 'resource_updated', uri: String(uri), ...more } : { kind, ...more };
}
