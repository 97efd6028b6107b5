import { afterAll, beforeAll, test } from 'vitest';
import { HealthySession } from '../../../test/hostile/healthy-session.ts';
import { bombard, CONNECTIONS } from '../../../test/hostile/raw/bombard.ts';
import { ServerProcess } from '../../../test/hostile/server-process.ts';

let server: ServerProcess;

beforeAll(async () => {
	server = await ServerProcess.start('v1');
});

afterAll(() => server.stop());

test(`${CONNECTIONS} connections with malformed HTTP each get a defined response, and leave nothing behind`, async () => {
	const healthy = await HealthySession.open(server.ports.handle);
	await bombard(server, {
		aim: (wire) => wire.replaceAll('$SESSION', healthy.id),
		statuses: (status) => [status],
		expectWell: () => healthy.expectWell(),
		end: () => healthy.end(),
	});
}, 60_000);
