// Managers that break a promise on purpose: the checker must catch each of them.

/** Every so many messages, one is spoilt. */
const EVERY = 7;
const decoder = new TextDecoder();

function isMessage(chunk) {
	return decoder.decode(chunk).includes('notifications/message');
}

/**
 * What each mutant does with every seventh message: `pass` hands over to the client, `others` are other sessions'
 * clients.
 */
const spoilers = {
	'drops-a-message': () => {},
	'delivers-twice': ({ chunk, pass }) => {
		pass(chunk);
		pass(chunk);
	},
	'swaps-two-messages': ({ chunk, hold }) => hold(chunk),
	'delivers-to-another-session': ({ chunk, pass, others }) => {
		pass(chunk);
		for (const other of others) {
			try {
				other(chunk);
			} catch {
				// Its client has gone.
			}
		}
	},
};

/** The manager, or one that breaks a promise. */
export function mutate(Manager, mutant) {
	if (mutant === undefined) return Manager;
	if (mutant === 'hides-gaps') return hidesGaps(Manager);
	const spoil = spoilers[mutant];
	if (spoil === undefined) throw new Error(`There is no mutant ${mutant}.`);
	const clients = new Map();
	let count = 0;
	return class extends Manager {
		create(id, controller, options) {
			if (id.includes(' ')) return super.create(id, controller, options);
			let held;
			const pass = (chunk) => controller.enqueue(chunk);
			const hold = (chunk) => {
				held = chunk;
			};
			clients.set(id, pass);
			return super.create(
				id,
				{
					get desiredSize() {
						return controller.desiredSize;
					},
					enqueue(chunk) {
						if (isMessage(chunk) && ++count % EVERY === 0) {
							const others = [...clients].filter(([other]) => other !== id).map(([, deliver]) => deliver);
							spoil({ chunk, pass, hold, others });
							return;
						}
						pass(chunk);
						if (held !== undefined) pass(held);
						held = undefined;
					},
					close: () => controller.close(),
					error: (reason) => controller.error?.(reason),
				},
				options,
			);
		}
	};
}

/** Says nothing of what the store lost. */
function hidesGaps(Manager) {
	return class extends Manager {
		async create(id, controller, options) {
			if (id.startsWith(' ')) return super.create(id, controller, options);
			const { ongap: _, ...rest } = options;
			const attachment = await super.create(id, controller, rest);
			return attachment.continuation === 'gap' ? { ...attachment, continuation: 'resumed' } : attachment;
		}
	};
}
