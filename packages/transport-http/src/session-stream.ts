import { parseEventId, requestStreamId, type StreamAttachment } from '@holdfast/session-manager';
import {
	type Connection,
	canBePrimed,
	ErrorCode,
	type HttpExchange,
	LIST_KINDS,
	listChangedEvent,
	messageEvent,
	type NodeSession,
	openingComment,
	parseStreamName,
	primingEvent,
	problems,
	refuse,
	resourceUpdatedEvent,
	type SessionHost,
} from '@holdfast/transport';
import { streamHeaders } from './response-headers.js';

/**
 * Answers a GET of a session: its session stream, or, where `Last-Event-ID` names one, the rest of a request's stream. Newest
 * wins: a connection that held the stream before is closed.
 */
export async function openGetStream(host: SessionHost, session: NodeSession, exchange: HttpExchange): Promise<void> {
	const lastEventId = exchange.header('last-event-id');
	const event = lastEventId === undefined || lastEventId === '' ? undefined : parseEventId(lastEventId);
	if (lastEventId !== undefined && lastEventId !== '' && event === undefined) return refuse(exchange, problems.invalidEventId);
	const name = event?.name ?? '';
	if (name !== '' && !host.streams.resumable) return refuse(exchange, problems.notResumable);
	if (name !== '' && parseStreamName(name) === undefined) return refuse(exchange, problems.invalidEventId);
	if (!host.mayStream()) return refuse(exchange, problems.tooManyStreams);

	const id = name === '' ? session.id : requestStreamId(session.id, name);
	const connection = exchange.stream(streamHeaders(session.id));
	const primed = host.streams.resumable && canBePrimed(session.record.protocolVersion);
	const attachment = await host.streams.create(id, connection, {
		...(event !== undefined && lastEventId !== undefined && { lastEventId }),
		...(primed && { prime: primingEvent(host.retryMs) }),
	});
	if (attachment?.continuation === 'ended') return refuse(exchange, problems.streamEnded);
	// The session may have ended on this or another node while the stream was opened.
	if (session.ended) {
		attachment?.detach();
		return refuse(exchange, problems.sessionNotFound);
	}
	if (!primed) connection.write(openingComment);
	detachAtEnd(host, session, id, connection, attachment);
	if (name === '') {
		const previous = session.sessionConnection;
		session.sessionConnection = connection;
		previous?.close();
		if (attachment?.continuation === 'gap') await tellToReread(host, session);
	} else if (attachment?.continuation === 'gap') endLostStream(session, id, name, connection);
}

function detachAtEnd(
	host: SessionHost,
	session: NodeSession,
	id: string,
	connection: Connection,
	attachment: StreamAttachment | void,
): void {
	connection.onend = () => {
		if (attachment) attachment.detach();
		// A simple manager cannot tell connections apart; we can, for those of this node.
		else if (session.sessionConnection === connection) void host.streams.delete(id);
		if (session.sessionConnection === connection) session.sessionConnection = undefined;
	};
	host.hold(session, id, connection);
}

/** Events may be lost: the client is told to read again whatever they could have been about. */
async function tellToReread(host: SessionHost, session: NodeSession): Promise<void> {
	for (const kind of LIST_KINDS) {
		const capability = session.record.serverCapabilities[kind];
		const declared = typeof capability === 'object' && capability !== null && 'listChanged' in capability && capability.listChanged === true;
		if (declared) await host.streams.send([session.id], listChangedEvent(kind));
	}
	for (const uri of await host.info.getSubscribedUris(session.id)) await host.streams.send([session.id], resourceUpdatedEvent(uri));
}

/** A call whose stream is lost and which does not run any more can have no answer; its client must not wait for one. */
function endLostStream(session: NodeSession, id: string, name: string, connection: Connection): void {
	const requestId = parseStreamName(name)?.requestId;
	if (requestId !== undefined && session.isRunning(requestId)) return;
	if (requestId !== undefined) {
		const message = 'The answer to this request is lost: it is older than what is kept, or the server was restarted.';
		connection.write(messageEvent(JSON.stringify({ jsonrpc: '2.0', id: requestId, error: { code: ErrorCode.REFUSED, message } })));
	}
	connection.close();
}
