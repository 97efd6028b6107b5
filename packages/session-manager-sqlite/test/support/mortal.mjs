// A process that dies of kill -9 right before a statement of its choice, and writes down what was acknowledged to it.
import { writeSync } from 'node:fs';
import { sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { DatabaseSync } from '@photostructure/sqlite';

const [, , file, killAt, life] = process.argv;
let statements = 0;
let isCounting = false;

/** Counts a statement of the main file, and does not survive the last one. */
function count() {
	if (isCounting && ++statements >= Number(killAt)) process.kill(process.pid, 'SIGKILL');
}

class Mortal extends DatabaseSync {
	#isMain;
	constructor(path) {
		super(path);
		this.#isMain = path.endsWith('sessions.db');
	}

	exec(sql) {
		if (this.#isMain) count();
		return super.exec(sql);
	}

	prepare(sql) {
		const statement = super.prepare(sql);
		if (!this.#isMain) return statement;
		const counted =
			(method) =>
			(...values) => {
				count();
				return statement[method](...values);
			};
		return { run: counted('run'), get: counted('get'), all: counted('all') };
	}
}

const { streams, info } = sqliteSessionManager(new Mortal(file), { history: { maxEvents: 1e6, maxBytes: 1e9 } });
const acknowledged = (what) => writeSync(1, `${what}\n`);
const quiet = { desiredSize: 1, enqueue() {}, close() {} };
const record = {
	protocolVersion: '2025-11-25',
	initializeParams: {},
	serverCapabilities: {},
	createdAt: 0,
	lastUsedAt: Date.now(),
};
await info.read('s');
isCounting = true;

async function write(to, label) {
	for (let n = 1; ; n++) {
		await streams.send(to, `data: ${label} ${life} ${n}\n\n`);
		acknowledged(`${label} ${life} ${n}`);
	}
}

async function hold() {
	for (let n = 1; ; n++) {
		const { detach } = await streams.create(`s ${life}-${n}`, quiet, { prime: ':\n\n' });
		await streams.send([`s ${life}-${n}`], 'data: 1\n\n');
		if (n % 2 === 0) detach();
		if (n % 5 === 0) await streams.delete(`s ${life}-${n}`);
	}
}

async function keep() {
	for (let n = 1; ; n++) {
		const id = `session ${life} ${n}`;
		await info.create({ ...record, id, principal: 'alice' });
		await info.addSubscription(id, 'file:///a');
		acknowledged(id);
		for (;;) {
			const stored = await info.readState('s', 'count');
			const next = Number(stored?.value ?? 0) + 1;
			if (!(await info.writeState('s', 'count', stored?.version, String(next)))) continue;
			acknowledged(`count ${next}`);
			break;
		}
		if (n % 3 === 0) await info.end(id, Date.now(), 'done');
		if (n % 3 === 0) acknowledged(`ended ${id}`);
	}
}

await Promise.all([write(['s'], 'own'), write(undefined, 'all'), hold(), keep()]);
