import { randomBytes } from 'node:crypto';
import { isAfterEnd } from '../contract/event-id.js';
import { lazy } from '../contract/lazy.js';
import { parseStreamId } from '../contract/stream-id.js';
import type { StreamAttachment, StreamController, StreamCreateOptions } from '../contract/stream-session-manager.js';
import type { Background } from './background.js';
import { BrokerHolder } from './broker-holder.js';
import type { BrokerHooks } from './broker-hooks.js';
import { BROADCAST_CHANNEL } from './broker-message.js';
import {
	assertUsable,
	type BrokerAttached,
	type BrokerPosition,
	type BrokerStart,
	type HistorySlice,
	NOWHERE,
	parsePosition,
	parseStreamPosition,
	type StreamPosition,
	sliceAfter,
} from './broker-position.js';
import type { LocalHolders } from './local-holders.js';
import type { StreamRestoration } from './stream-restoration.js';

/** A position that another manager wrote is after all that there is: the broadcasts since then may be lost. */
const FOREIGN: StreamPosition = Object.freeze({ epoch: '0', offset: Number.MAX_SAFE_INTEGER });

/** Opens streams for clients of this node, and takes them over from whoever held them before. */
export class StreamOpening {
	readonly #holders: LocalHolders;
	readonly #restoration: StreamRestoration;
	readonly #background: Background;
	readonly #hooks: Pick<BrokerHooks, 'attach' | 'detach'>;
	readonly #assertOpen: () => void;
	readonly #maxBufferedBytes: number;
	/** How the tokens of this manager's holders begin, and how many there were. */
	readonly #tokens = lazy(() => randomBytes(9).toString('base64url'));
	#opened = 0;

	/** `assertOpen` throws once the manager is closed. */
	constructor(
		holders: LocalHolders,
		restoration: StreamRestoration,
		background: Background,
		hooks: Pick<BrokerHooks, 'attach' | 'detach'>,
		assertOpen: () => void,
		maxBufferedBytes: number,
	) {
		this.#holders = holders;
		this.#restoration = restoration;
		this.#background = background;
		this.#hooks = hooks;
		this.#assertOpen = assertOpen;
		this.#maxBufferedBytes = maxBufferedBytes;
	}

	/** Opens a stream, as a manager's `create` says. */
	async open(id: string, controller: StreamController, options: StreamCreateOptions): Promise<StreamAttachment> {
		const { name } = parseStreamId(id);
		if (isAfterEnd(options.lastEventId, name)) return { continuation: 'ended', detach() {} };
		const after: BrokerStart | undefined =
			options.lastEventId === undefined ? {} : readPosition(options.lastEventId, name);
		const holder = new BrokerHolder(
			id,
			// Joined, it is one text; added up, each of its pieces would be kept.
			[this.#tokens(), (++this.#opened).toString(36)].join(''),
			controller,
			options,
			this.#maxBufferedBytes,
		);
		this.#holders.add(holder);
		let attached: BrokerAttached | undefined;
		try {
			await this.#holders.subscribe(holder, id);
			if (name === '') await this.#holders.subscribe(holder, BROADCAST_CHANNEL);
			this.#restoration.admit(holder);
			const { pauses } = holder;
			const { since } = options;
			const from = name === '' && since !== undefined ? (parseStreamPosition(since) ?? FOREIGN) : undefined;
			const former = after?.own === undefined ? this.#holders.formerOf(holder) : undefined;
			const start = former === undefined ? (after ?? {}) : { ...former.position, of: former.token };
			attached = await this.#hooks.attach(id, holder.token, start, false, from);
			if (attached.outcome === 'ended' || attached.outcome === 'unknown') {
				await this.#holders.drop(holder);
				return { continuation: attached.outcome, detach() {} };
			}
			for (const other of this.#holders.of(id)) if (other.isFollowedBy(attached)) this.#holders.end(other);
			if (former !== undefined) attached = withoutWritten(attached, former.position);
			this.#assertOpen();
			assertUsable(attached);
			const gap = after === undefined || attached.own.gap || attached.broadcasts.gap;
			// Awaited before any newer event id is written: a client that does not learn of the gap comes back with the old
			// one.
			if (gap) await holder.ongap?.();
			if (!holder.begin(attached, options.prime, pauses === holder.pauses))
				this.#background.run(() => this.#holders.leave(holder));
			else if (holder.paused) this.#restoration.restoreSoon(holder);
			const continuation = options.lastEventId === undefined ? 'fresh' : 'resumed';
			return { continuation, detach: () => void this.#background.run(() => this.#holders.leave(holder)) };
		} catch (error) {
			holder.writer.release();
			this.#background.run(() => this.#holders.drop(holder));
			// The stream was taken, but nothing was delivered.
			if (attached?.outcome === 'taken') {
				const start = startOf(attached);
				await this.#background.run(() => this.#hooks.detach(holder.id, holder.token, start));
			}
			throw error;
		}
	}
}

/** Returns the position after event `lastEventId`; where it names none, the beginning of a request stream. */
function readPosition(lastEventId: string, name: string): BrokerPosition | undefined {
	return parsePosition(lastEventId, name) ?? (name === '' ? undefined : { own: NOWHERE, broadcasts: NOWHERE });
}

/** Returns what is left for a new holder where the former one of this node was written everything up to a position. */
function withoutWritten(attached: BrokerAttached, { own, broadcasts }: Partial<BrokerPosition>): BrokerAttached {
	const rest = (slice: HistorySlice, written = NOWHERE) =>
		slice.epoch === written.epoch ? sliceAfter(slice, written) : slice;
	return { ...attached, own: rest(attached.own, own), broadcasts: rest(attached.broadcasts, broadcasts) };
}

/** Returns where a holder begins that was written nothing. Nobody was told of a gap: the position has one itself. */
function startOf({ own, broadcasts }: BrokerAttached): BrokerPosition {
	const epoch = own.gap || broadcasts.gap ? FOREIGN.epoch : own.epoch;
	return {
		own: { epoch, offset: own.start },
		broadcasts: { epoch: broadcasts.epoch, offset: broadcasts.start },
	};
}
