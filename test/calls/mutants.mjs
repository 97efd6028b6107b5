// Managers that break a promise about calls on purpose: the checker must catch each of them.
import { EVERY_NODE, endsStream, isAddress, isSessionStream, nodeAddress } from '@holdfast/session-manager/custom';

const decoder = new TextDecoder();

/** What a node tells others by `event`; `undefined` where that is none of the nodes' own. */
function told(event) {
	return event.startsWith('event: holdfast\n') ? JSON.parse(event.slice(event.indexOf('data: ') + 6)) : undefined;
}

/** Every so many last events, one is spoilt. */
const EVERY = 3;

/** Which of the messages between nodes each mutant says that it has taken in, and does not. */
const swallowed = {
	'swallows-forwarded-answers': ({ type, message }) => type === 'client-message' && message.method === undefined,
	'swallows-forwarded-progress': ({ type, message }) =>
		type === 'client-message' && message.method === 'notifications/progress',
	'ignores-cancels-of-other-nodes': ({ type, message }) =>
		type === 'client-message' && message.method === 'notifications/cancelled',
	'serves-ended-sessions': ({ type }) => type === 'session-ended',
};

/** The stream manager, or one that breaks a promise. */
export function mutateStreams(Manager, mutant) {
	if (mutant === undefined || mutant === 'mixes-up-clients') return Manager;
	if (mutant === 'loses-the-last-event') return losesLastEvents(Manager);
	if (mutant === 'sends-the-last-event-twice') return repeatsLastEvents(Manager);
	const swallows = swallowed[mutant];
	if (swallows === undefined) throw new Error(`There is no mutant ${mutant}.`);
	return class extends Manager {
		/** Nodes of this process that are about to listen where all do. */
		#nodeIds = [];

		create(id, controller, options) {
			if (!isAddress(id)) return super.create(id, controller, options);
			if (id !== EVERY_NODE) this.#nodeIds.push(id.slice(1));
			const nodeId = id === EVERY_NODE ? this.#nodeIds.shift() : id.slice(1);
			const deaf = {
				desiredSize: 1,
				close: () => controller.close(),
				enqueue: (chunk) => {
					const message = told(decoder.decode(chunk));
					if (message === undefined || message.from === nodeId || !swallows(message)) return controller.enqueue(chunk);
					const reply = { type: 'reply', to: message.ask, value: true, from: nodeId };
					void super.send([nodeAddress(message.from)], `event: holdfast\ndata: ${JSON.stringify(reply)}\n\n`);
				},
			};
			return super.create(id, deaf, options);
		}
	};
}

/** The info manager, or one that answers what another client said of itself. */
export function mutateInfo(Manager, mutant) {
	if (mutant !== 'mixes-up-clients') return Manager;
	let last;
	return class extends Manager {
		create(record, limits) {
			const { initializeParams } = record;
			const clientInfo = last ?? initializeParams.clientInfo;
			last = initializeParams.clientInfo;
			return super.create({ ...record, initializeParams: { ...initializeParams, clientInfo } }, limits);
		}
	};
}

function losesLastEvents(Manager) {
	let count = 0;
	return class extends Manager {
		send(ids, event) {
			if (endsStream(event) && ++count % EVERY === 0) return;
			return super.send(ids, event);
		}
	};
}

function repeatsLastEvents(Manager) {
	let count = 0;
	return class extends Manager {
		create(id, controller, options) {
			if (isSessionStream(id) || isAddress(id)) return super.create(id, controller, options);
			const repeating = {
				get desiredSize() {
					return controller.desiredSize;
				},
				enqueue: (chunk) => {
					controller.enqueue(chunk);
					if (endsStream(decoder.decode(chunk)) && ++count % EVERY === 0) controller.enqueue(chunk);
				},
				close: () => controller.close(),
				error: (reason) => controller.error?.(reason),
			};
			return super.create(id, repeating, options);
		}
	};
}
