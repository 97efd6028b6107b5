import { DEFAULT_MAX_BUFFERED_BYTES, type StreamAttachment, statusOf } from '@holdfast/session-manager/custom';
import {
	type HttpExchange,
	type LocalSession,
	ownerOf,
	pacedWrite,
	problems,
	refuse,
	rereadEvents,
	type SessionHost,
	streamHeaders,
} from '@holdfast/transport/internal';
import { Departure } from './departure.js';
import { StreamGate } from './stream-gate.js';
import type { StreamHolds } from './stream-holds.js';
import type { StreamResponder } from './stream-responder.js';

/**
 * Responds to a GET: creates a session and opens its stream, whose first event tells the client where to POST
 * (2024-11-05, Transports, HTTP with SSE). `onlost` is called when responses for it may be lost. The session ends with
 * its stream, whoever ended that: nothing could bring it back.
 */
export async function openStream(
	host: SessionHost,
	holds: StreamHolds,
	exchange: HttpExchange,
	responderOf: (session: LocalSession) => StreamResponder,
	endpointOf: (sessionId: string) => string,
	onlost: (sessionId: string) => void,
): Promise<void> {
	const { context, connections, factory, lifecycle } = host;
	const { streams, info } = context;
	// No session has this id.
	const refusal = connections.refusal('');
	if (refusal !== undefined) return refuse(exchange, refusal);
	const connection = connections.open(exchange, streamHeaders, undefined);
	const session = await factory.open(ownerOf(exchange));
	const gate = new StreamGate(connection, () => session.record, host);
	responderOf(session).gate = gate;
	// The official clients name a revision only once they have negotiated one: this one lost its stream and comes back,
	// and it will not send `initialize` again.
	if (exchange.header('mcp-protocol-version') !== undefined) {
		session.awaitsUse = true;
		gate.open();
	}
	// Without a stream nobody can use the session, which must not count for as long as it would live.
	const abandon = () => context.background(() => lifecycle.terminate(session.id, 'its stream could not be opened'));
	let attachment: StreamAttachment | void;
	try {
		attachment = await streams.create(session.id, gate, {
			// This revision cannot resume streams.
			history: false,
			ongap: async () => {
				onlost(session.id);
				if (statusOf(session.record) === 'opening') return;
				context.observation?.emit({ type: 'gap', sessionId: session.id });
				const events = await rereadEvents(info, session.record);
				await pacedWrite(connection, context.clock, events, DEFAULT_MAX_BUFFERED_BYTES, (event) =>
					connection.write(event),
				);
			},
		});
	} catch (error) {
		abandon();
		throw error;
	}
	if (context.closed) {
		attachment?.detach();
		abandon();
		return refuse(exchange, problems.closing);
	}
	const departure = new Departure(session, connection, gate, holds, host);
	connections.add(session.id, connection, () => departure.leave());
	connection.onEnd(() => {
		gate.ended();
		if (attachment === undefined) context.background(() => session.inTurn(() => streams.delete(session.id)));
		else attachment.detach();
		if (!session.ended && !context.closed)
			context.background(() => lifecycle.terminate(session.id, 'its stream ended'));
	});
	// A client that was told to come back soon must not do so for ever.
	connection.write(`retry: ${connections.retryMs}\nevent: endpoint\ndata: ${endpointOf(session.wireId)}\n\n`);
}
