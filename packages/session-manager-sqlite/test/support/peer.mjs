// A node of its own: it runs what was built, and does what its parent asks. Everything goes in order, both ways.
import { SessionManagerError } from '@holdfast/session-manager';
import { SqliteInfoSessionManager, SqliteStreamSessionManager } from '@holdfast/session-manager-sqlite';

/** By the name that the parent gave them. */
const managers = new Map();
const controllers = new Map();
const attachments = new Map();
/** Gaps that the parent has yet to take note of. */
const gaps = new Map();
let asked = 0;

process.on('disconnect', () => process.exit());
process.on('message', async ({ call, what, args }) => {
	try {
		process.send({ call, value: await tasks[what](...args) });
	} catch (error) {
		const code = error instanceof SessionManagerError ? error.code : undefined;
		process.send({ call, error: { code, message: String(error?.message ?? error) } });
	}
});

const tasks = {
	open(name, path, limits) {
		managers.set(name, {
			streams: new SqliteStreamSessionManager(path, limits),
			info: new SqliteInfoSessionManager(path, limits),
		});
	},
	call: (name, manager, method, args) => managers.get(name)[manager][method](...args),
	async create(name, id, number, { hasGap, size, isStream, ...options }) {
		const controller = isStream ? unreadStream(number, size) : plainController(number, size);
		controllers.set(number, controller);
		const ongap = () =>
			new Promise((resolve, reject) => {
				gaps.set(++asked, { resolve, reject });
				process.send({ controller: number, gap: asked });
			});
		const attachment = await managers
			.get(name)
			.streams.create(id, controller, { ...options, ...(hasGap && { ongap }) });
		attachments.set(number, attachment);
		return attachment.continuation;
	},
	told(gap, message) {
		const { resolve, reject } = gaps.get(gap);
		gaps.delete(gap);
		if (message === undefined) resolve();
		else reject(new Error(message));
	},
	size(number, size) {
		controllers.get(number).desiredSize = size;
	},
	detach(number) {
		attachments.get(number)?.detach();
	},
	async close(name) {
		const { streams, info } = managers.get(name);
		await Promise.all([streams.close(), info.close()]);
	},
};

/** A controller whose client is told everything at once. */
function plainController(number, size) {
	const controller = {
		desiredSize: size,
		enqueue: (chunk) => {
			if (controller.desiredSize === null) throw new TypeError('The client is gone.');
			process.send({ controller: number, chunk });
		},
		close: () => {
			if (controller.desiredSize === null) throw new TypeError('The client is gone.');
			controller.desiredSize = null;
			process.send({ controller: number, closed: true });
		},
	};
	return controller;
}

/** The controller of a stream that nobody reads here, either. */
function unreadStream(number, highWaterMark) {
	let unread;
	const start = (controller) => {
		unread = controller;
	};
	new ReadableStream({ start }, new ByteLengthQueuingStrategy({ highWaterMark }));
	return {
		get desiredSize() {
			return unread.desiredSize;
		},
		enqueue: (chunk) => {
			unread.enqueue(chunk);
			process.send({ controller: number, chunk });
		},
		close: () => {
			unread.close();
			process.send({ controller: number, closed: true });
		},
		error: (reason) => {
			unread.error(reason);
			process.send({ controller: number, failed: String(reason) });
		},
	};
}

process.send({ ready: true });
