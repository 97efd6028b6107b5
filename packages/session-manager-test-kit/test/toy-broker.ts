import { setImmediate } from 'node:timers/promises';
import { type BrokerEvent, type BrokerMessage, endsStream, type HistoryLimits } from '@holdfast/session-manager/custom';

interface Kept extends BrokerEvent {
	readonly name: string;
	readonly at: number;
}

/** What is known of one stream of a log. */
export interface ToyStream {
	holder?: string;
	/** Where its slice and its broadcasts began, and whether it has a gap. */
	since?: number;
	broadcastsSince?: number;
	unsure?: boolean;
	newest: number;
	floor: number;
	over: boolean;
	/** Where what was never handed to a client begins. */
	undelivered?: number | undefined;
	undeliveredBroadcasts?: number | undefined;
}

/** What is kept of one session, or of the broadcasts. */
export class ToyLog {
	readonly epoch = Math.random().toString(36).slice(2);
	events: Kept[] = [];
	readonly streams = new Map<string, ToyStream>();
	seen = false;

	stream(name: string, born: number): ToyStream {
		const stream = this.streams.get(name) ?? { newest: 0, floor: born, over: false };
		this.streams.set(name, stream);
		return stream;
	}

	trim({ maxEvents, maxBytes, maxAgeMs }: HistoryLimits): void {
		let bytes = this.events.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0);
		for (let first = this.events[0]; first !== undefined; first = this.events[0]) {
			const many = this.events.length > maxEvents || (bytes > maxBytes && this.events.length > 1);
			if (!many && first.at >= Date.now() - maxAgeMs) break;
			this.events.shift();
			bytes -= Buffer.byteLength(first.data);
			// Nothing is known any more of a stream whose end is not: whoever comes back to it learns of a gap.
			if (first.name !== '' && endsStream(first.data)) this.streams.delete(first.name);
			else this.stream(first.name, 0).floor = first.offset;
		}
	}

	after(start: number, name: string): BrokerEvent[] {
		return this.events.filter((event) => event.offset > start && event.name === name);
	}
}

/** A broker in this process, which tells its news a little later and in order. */
export class ToyBroker {
	offset = 0;
	/** How often a stream was taken. */
	takeovers = 0;
	readonly sessions = new Map<string, ToyLog>();
	broadcasts = new ToyLog();
	readonly hearing = new Map<string, Set<(channel: string, message: BrokerMessage) => void>>();

	/** Loses all that was kept. */
	forget(): void {
		this.sessions.clear();
		this.broadcasts = new ToyLog();
	}

	publish(channel: string, message: BrokerMessage): number {
		const hearing = this.hearing.get(channel) ?? new Set();
		for (const tell of hearing) void setImmediate().then(() => tell(channel, message));
		return hearing.size;
	}
}
