import { BoundedWriter, DEFAULT_MAX_BUFFERED_BYTES, type StreamController } from '@holdfast/session-manager/custom';

export function write(controller: StreamController, events: Iterable<string>): void {
	//#region write
	const writer = new BoundedWriter(controller, DEFAULT_MAX_BUFFERED_BYTES);
	for (const event of events) {
		if (!writer.write(new TextEncoder().encode(event))) return; // the client is gone or too slow
	}
	writer.end();
	//#endregion write
}
