import type { StreamSessionManager } from '@holdfast/session-manager';
import { END_OF_STREAM, requestStreamId, type StreamController } from '@holdfast/session-manager/custom';

export async function verbs(
	streams: StreamSessionManager,
	sessionId: string,
	controller: StreamController,
): Promise<void> {
	//#region verbs
	await streams.create(sessionId, controller);
	await streams.send([sessionId], 'data: to this session\n\n');
	await streams.send(undefined, 'data: to every session\n\n');
	await streams.has(sessionId); // true, on every node
	await streams.delete(sessionId);
	//#endregion verbs
}

export async function create(
	streams: StreamSessionManager,
	sessionId: string,
	controller: StreamController,
	request: Request,
): Promise<void> {
	//#region create
	const lastEventId = request.headers.get('last-event-id');
	const attachment = await streams.create(sessionId, controller, {
		...(lastEventId !== null && { lastEventId }),
		ongap: () => streams.send([sessionId], 'data: some events were lost\n\n'),
	});
	if (attachment) request.signal.addEventListener('abort', () => attachment.detach());
	//#endregion create
}

export async function send(streams: StreamSessionManager, sessionId: string, response: object): Promise<void> {
	//#region send
	const id = requestStreamId(sessionId, '42');
	await streams.send([id], 'data: {"progress":1}\n\n');
	await streams.send([id], `data: ${JSON.stringify(response)}\n${END_OF_STREAM}\n\n`); // the last event
	//#endregion send
}
