import {
	DEFAULT_MAX_BUFFERED_BYTES,
	endEventId,
	parseEventId,
	requestStreamId,
	type StreamAttachment,
} from '@holdfast/session-manager/custom';
import {
	type Connection,
	canBePrimed,
	type HttpExchange,
	type LocalSession,
	openingComment,
	orphanedStreamEvent,
	pacedWrite,
	parseStreamName,
	primingEvent,
	problems,
	refuse,
	rereadEvents,
	type SessionHost,
} from '@holdfast/transport/internal';
import { sessionStreamHeaders } from './stream-headers.js';
import { WatchedHolder } from './watched-holder.js';

/** The connections that are told to read again, and wait for that. */
const rereading = new WeakMap<LocalSession, Connection>();

/**
 * Responds to a GET with the session stream or, where `Last-Event-ID` names a request stream, with the rest of that
 * stream (2025-11-25, Listening for Messages from the Server; Resumability and Redelivery). The newest connection wins:
 * one that held the stream before is closed, on whichever node.
 */
export async function openGetStream(host: SessionHost, session: LocalSession, exchange: HttpExchange): Promise<void> {
	const { streams } = host.context;
	const lastEventId = exchange.header('last-event-id');
	const event = lastEventId === undefined || lastEventId === '' ? undefined : parseEventId(lastEventId);
	if (lastEventId !== undefined && lastEventId !== '' && event === undefined)
		return refuse(exchange, problems.invalidEventId);
	const name = event?.name ?? '';
	if (name !== '' && !streams.resumable) return refuse(exchange, problems.notResumable);
	const writer = parseStreamName(session.id, name);
	if (name !== '' && writer === undefined) return refuse(exchange, problems.invalidEventId);
	const id = name === '' ? session.id : requestStreamId(session.id, name);
	const refusal = host.connections.refusal(id);
	if (refusal !== undefined) return refuse(exchange, refusal);
	host.openRate.count(session.id);

	const connection = host.connections.open(exchange, sessionStreamHeaders(session), session.id);
	if (!streams.resumable) return session.inTurn(() => openSimpleStream(host, session, exchange, connection));
	const { protocolVersion, broadcastsSince: since } = session.record;
	const primed = canBePrimed(protocolVersion);
	// These events are sent at once and without event ids: a client that loses the connection before them resumes after
	// an older id, and meets the gap again.
	const { observation } = host.context;
	const ongap = name === '' ? gapTeller(host, session, connection) : undefined;
	// A client that comes back need not wait until its older connection has read everything.
	if (name === '') rereading.get(session)?.close();
	// Whoever watches the node hears of it where another connection takes the stream.
	const isWatched = observation !== undefined && name === '';
	const holder = isWatched ? new WatchedHolder(host, session, connection, observation) : connection;
	const create = (isKnown = true) =>
		streams.create(id, holder, {
			...(event !== undefined && lastEventId !== undefined && isKnown && { lastEventId }),
			...(primed && { prime: primingEvent(host.connections.retryMs) }),
			...(ongap && { ongap, ...(since !== undefined && { since }) }),
		});
	// The newest connection is the one whose request came last, not the one whose stream took longest to open.
	let attachment = await (name === '' ? session.inTurn(() => create()) : create());
	if (attachment?.continuation === 'unknown' && event !== undefined && writer !== undefined) {
		// Nobody will write to it: the client learns that here, and the store nothing of a name that may be made up.
		if (await host.requestStreams.isOrphaned(writer.nodeId, id)) {
			connection.write(`id: ${endEventId(event)}\n${orphanedStreamEvent(id, primed)}`);
			return connection.close();
		}
		attachment = await create(false);
	}
	if (attachment?.continuation === 'ended') return refuse(exchange, problems.streamEnded);
	// The node may have closed while the stream was opened; a stream that has begun is closed with the others.
	if (host.context.closed && !connection.begun) {
		attachment?.detach();
		return refuse(exchange, problems.closing);
	}
	// The session may have ended, on this or another node.
	if (session.ended) {
		attachment?.detach();
		await streams.delete(session.id);
		return connection.begun ? connection.close() : refuse(exchange, problems.sessionNotFound);
	}
	if (!primed) connection.write(openingComment);
	if (attachment?.continuation === 'resumed')
		observation?.emit({ type: 'replay', kind: name === '' ? 'session' : 'request', sessionId: session.id });
	host.connections.add(id, connection);
	if (attachment !== undefined) connection.onEnd(new AttachedConnection(attachment));
	if (writer !== undefined && connection.open) connection.onEnd(host.requestStreams.watch(writer.nodeId, id, primed));
}

// A stream may be open for days. So what is called at its end, or after a loss, is made where only what it needs is in
// reach: all functions of one function share what any of them uses, which here was the whole request.

class AttachedConnection {
	readonly #attachment: StreamAttachment;

	constructor(attachment: StreamAttachment) {
		this.#attachment = attachment;
	}

	ended(): void {
		this.#attachment.detach();
	}
}

/** Returns what tells the client of a session stream to read again. */
function gapTeller(host: SessionHost, session: LocalSession, connection: Connection): () => Promise<void> {
	return async () => {
		const { info, clock, observation } = host.context;
		observation?.emit({ type: 'gap', sessionId: session.id });
		const events = await rereadEvents(info, session.record);
		rereading.set(session, connection);
		await pacedWrite(connection, clock, events, DEFAULT_MAX_BUFFERED_BYTES, (reread) => connection.write(reread));
		if (rereading.get(session) === connection) rereading.delete(session);
	};
}

/**
 * Opens the session stream with a manager that need not tell connections apart; this node does it for its own. Opening
 * takes turns with closing the connection before, so that the manager is left with the newest one. A manager that
 * returns an attachment tells connections apart itself, also those of other nodes.
 */
async function openSimpleStream(
	host: SessionHost,
	session: LocalSession,
	exchange: HttpExchange,
	connection: Connection,
): Promise<void> {
	if (session.ended) return refuse(exchange, problems.sessionNotFound);
	const { streams } = host.context;
	const attachment = await streams.create(session.id, connection);
	if (session.ended || host.context.closed) {
		refuse(exchange, session.ended ? problems.sessionNotFound : problems.closing);
		if (attachment !== undefined && !session.ended) return attachment.detach();
		return streams.delete(session.id);
	}
	connection.write(openingComment);
	const previous = host.connections.get(session.id);
	host.connections.add(session.id, connection);
	connection.onEnd(() => {
		attachment?.detach();
		if (attachment !== undefined) return;
		const deleteUnlessReplaced = () =>
			host.connections.get(session.id) === undefined ? streams.delete(session.id) : undefined;
		host.context.background(() => session.inTurn(deleteUnlessReplaced));
	});
	if (previous === undefined) return;
	previous.close();
	host.context.observation?.emit({ type: 'takeover', sessionId: session.id });
}
