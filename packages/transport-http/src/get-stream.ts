import { parseEventId, requestStreamId } from '@holdfast/session-manager/custom';
import {
	type Connection,
	canBePrimed,
	type HttpExchange,
	type LocalSession,
	openingComment,
	parseStreamName,
	primingEvent,
	problems,
	refuse,
	rereadEvents,
	type SessionHost,
} from '@holdfast/transport/internal';
import { sessionStreamHeaders } from './stream-headers.js';

/**
 * Answers a GET of a session: its session stream, or, where `Last-Event-ID` names one, the rest of a request's stream. Newest
 * wins: a connection that held the stream before is closed.
 */
export async function openGetStream(host: SessionHost, session: LocalSession, exchange: HttpExchange): Promise<void> {
	const { streams, info } = host.context;
	const lastEventId = exchange.header('last-event-id');
	const event = lastEventId === undefined || lastEventId === '' ? undefined : parseEventId(lastEventId);
	if (lastEventId !== undefined && lastEventId !== '' && event === undefined)
		return refuse(exchange, problems.invalidEventId);
	const name = event?.name ?? '';
	if (name !== '' && !streams.resumable) return refuse(exchange, problems.notResumable);
	if (name !== '' && parseStreamName(name) === undefined) return refuse(exchange, problems.invalidEventId);
	if (host.connections.isFull) return refuse(exchange, problems.tooManyStreams);

	const connection = exchange.stream(sessionStreamHeaders(session));
	if (!streams.resumable) return session.inTurn(() => openSimpleStream(host, session, exchange, connection));
	const id = name === '' ? session.id : requestStreamId(session.id, name);
	const primed = canBePrimed(session.record.protocolVersion);
	let told = false;
	// Told at once and without event ids: a client that loses the connection before comes back with an id older than the loss.
	const ongap = async () => {
		connection.write((await rereadEvents(info, session.record)).join(''));
		told = true;
	};
	const create = () =>
		streams.create(id, connection, {
			...(event !== undefined && lastEventId !== undefined && { lastEventId }),
			...(primed && { prime: primingEvent(host.connections.retryMs) }),
			...(name === '' && { ongap, since: session.record.createdAt }),
		});
	// The newest is whose request came last, not whose stream took longest to open.
	const attachment = await (name === '' ? session.inTurn(create) : create());
	if (attachment?.continuation === 'ended') return refuse(exchange, problems.streamEnded);
	// The session may have ended on this or another node while the stream was opened.
	if (session.ended) {
		attachment?.detach();
		await streams.delete(session.id);
		return connection.begun ? connection.close() : refuse(exchange, problems.sessionNotFound);
	}
	if (!primed) connection.write(openingComment);
	host.connections.add(id, connection);
	connection.onEnd(() => attachment?.detach());
	const writer = parseStreamName(name);
	if (writer !== undefined && connection.open) connection.onEnd(host.requestStreams.watch(writer.nodeId, id, primed));
	if (name !== '' || attachment?.continuation !== 'gap' || told) return;
	for (const reread of await rereadEvents(info, session.record)) await streams.send([session.id], reread);
}

/**
 * Opens the session stream where the manager need not tell connections apart: we can, for those of this node. It takes turns with
 * the closing of the one before, so that the manager is left with the newest, however long it takes for each. A manager that
 * answers an attachment tells them apart, also from those of other nodes.
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
	if (session.ended) {
		refuse(exchange, problems.sessionNotFound);
		return streams.delete(session.id);
	}
	connection.write(openingComment);
	const previous = host.connections.get(session.id);
	host.connections.add(session.id, connection);
	connection.onEnd(() => {
		attachment?.detach();
		if (attachment !== undefined) return;
		const forget = () => (host.connections.get(session.id) === undefined ? streams.delete(session.id) : undefined);
		host.context.background(() => session.inTurn(forget));
	});
	previous?.close();
}
