import { statusOf } from '@holdfast/session-manager';
import {
	type HttpExchange,
	inBackground,
	type NodeSession,
	ownerOf,
	problems,
	refuse,
	rereadEvents,
	type SessionHost,
	streamHeaders,
} from '@holdfast/transport';
import { ClientController } from './client-controller.js';
import type { SessionChannel } from './session-channel.js';

/**
 * Answers a GET: opens a session and its stream, whose first event tells the client where to POST (2024-11-05, Transports, HTTP
 * with SSE). Once the stream is gone, whoever ended it, nothing keeps the session alive.
 */
export async function openStream(
	host: SessionHost,
	exchange: HttpExchange,
	channelOf: (session: NodeSession) => SessionChannel,
	endpointOf: (sessionId: string) => string,
): Promise<void> {
	if (!host.mayStream()) return refuse(exchange, problems.tooManyStreams);
	const connection = exchange.stream(streamHeaders);
	const session = await host.open(ownerOf(exchange));
	const controller = new ClientController(connection, () => session.record, host);
	channelOf(session).controller = controller;
	const attachment = await host.streams.create(session.id, controller, {
		// Nothing can be resumed in this revision.
		history: false,
		ongap: async () => {
			if (statusOf(session.record) !== 'opening')
				connection.write((await rereadEvents(host.info, session.record)).join(''));
		},
	});
	if (host.closed) {
		attachment?.detach();
		return refuse(exchange, problems.closing);
	}
	const report = (error: Error) => host.report(error);
	connection.onend = () => {
		controller.ended();
		if (attachment === undefined)
			inBackground(
				session.inTurn(() => host.streams.delete(session.id)),
				report,
			);
		else attachment.detach();
		// Nobody else knows of the session yet.
		if (statusOf(session.record) === 'opening' && !host.closed)
			inBackground(host.terminate(session.id, 'the client left'), report);
	};
	host.hold(session, session.id, connection);
	connection.write(`event: endpoint\ndata: ${endpointOf(session.wireId)}\n\n`);
}
