// A node of its own: it holds the streams named on its command line, and prints a line of JSON for each thing that
// happens. It runs what was built.
import { RedisStreamSessionManager } from '@holdfast/session-manager-redis';

const [url, ...ids] = process.argv.slice(2);
const streams = new RedisStreamSessionManager(url);
// Whoever started us is gone.
process.stdin.resume().on('end', () => process.exit());
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

for (const id of ids) {
	const controller = {
		desiredSize: 1,
		enqueue: (chunk) => print({ id, event: new TextDecoder().decode(chunk) }),
		close: () => print({ id, closed: true }),
	};
	const { continuation } = await streams.create(id, controller, { prime: 'data: prime\n\n' });
	print({ id, continuation });
}
