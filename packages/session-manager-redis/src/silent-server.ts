import type { Duplex } from 'node:stream';

/**
 * Lets a client give `stream` up for the silence of its server only after it has read what has arrived. Its timer
 * cannot tell a server that was silent from a process that did not run, whose replies wait to be read.
 */
export function readBeforeSilence(stream: Duplex): void {
	const destroy = stream.destroy;
	stream.destroy = (error?: Error) => {
		if (!error?.message.startsWith('Socket timeout.')) return destroy.call(stream, error);
		const giveUp = setImmediate(() => {
			stream.off('data', keep);
			destroy.call(stream, error);
		});
		const keep = () => clearImmediate(giveUp);
		stream.once('data', keep);
		return stream;
	};
}
