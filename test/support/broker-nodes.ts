import { InMemoryInfoSessionManager } from '@holdfast/session-manager';
import type { BrokerMessage } from '@holdfast/session-manager/custom';
import { ManualClock } from '@holdfast/session-manager/testing';
import { onTestFinished } from 'vitest';
import { ToyBroker } from '../../packages/session-manager-test-kit/test/toy-broker.ts';
import { ToyBrokerManager } from '../../packages/session-manager-test-kit/test/toy-broker-manager.ts';
import { settle } from './deadline.ts';
import type { Door } from './doors.ts';
import { eventually } from './eventually.ts';
import { Rig, type RigOptions } from './rig.ts';

/** What a node has of the broker; it can be made not to listen for a while. */
export class NodeStreams extends ToyBrokerManager {
	#backlog: (() => void)[] | undefined;
	readonly #said: string[] = [];

	/** Resolves once this node has sent a message of this type to others. */
	async hasSent(type: string): Promise<void> {
		await eventually(() => this.#said.some((text) => text.includes(`"type":"${type}"`))).toBe(true);
	}

	/** Takes nothing in until {@link hear}, as a process does that was stopped. What is sent to it meanwhile waits. */
	deafen(): void {
		this.#backlog ??= [];
	}

	/** Takes in what waited, in order, and listens again. */
	hear(): void {
		const backlog = this.#backlog ?? [];
		this.#backlog = undefined;
		for (const take of backlog) take();
	}

	protected override publish(addresses: readonly string[], data: string): void {
		super.publish(addresses, data);
		this.#said.push(data);
	}

	protected override received(channel: string, message: BrokerMessage): void {
		const take = () => super.received(channel, message);
		if (this.#backlog === undefined) take();
		else this.#backlog.push(take);
	}
}

/** A node on a broker, with a clock of its own. */
export interface BrokerNode {
	readonly rig: Rig;
	readonly streams: NodeStreams;
}

/** Nodes in one process on one broker, whose messages take their time; they share sessions, and nothing else. */
export interface BrokerNodes {
	readonly a: BrokerNode;
	readonly b: BrokerNode;
	readonly c: BrokerNode;
	readonly info: InMemoryInfoSessionManager;
	readonly broker: ToyBroker;
}

/** What a test wants of its nodes. */
export interface BrokerNodesOptions extends RigOptions {
	readonly history?: { readonly maxEvents?: number; readonly maxBytes?: number };
}

export async function openBrokerNodes(
	door: Door,
	{ history = {}, ...options }: BrokerNodesOptions = {},
): Promise<BrokerNodes> {
	const broker = new ToyBroker();
	const info = new InMemoryInfoSessionManager({ clock: new ManualClock(1_000_000) });
	const open = async () => {
		const clock = new ManualClock(1_000_000);
		const streams = new NodeStreams(broker, { clock, history });
		onTestFinished(() => streams.close());
		const rig = await Rig.open(door, { clock, sessionManager: { streams, info }, ...options });
		await rig.transport.isReady();
		return { rig, streams };
	};
	const nodes = { a: await open(), b: await open(), c: await open(), info, broker };
	// So each has heard itself and the others.
	await settle();
	return nodes;
}

/** Moves the time of these nodes on, second by second, and lets what falls due happen. One that is left out hangs. */
export async function advance(ms: number, ...nodes: readonly { readonly rig: { readonly clock: ManualClock } }[]) {
	for (let left = ms; left > 0; left -= 1_000) {
		for (const { rig } of nodes) rig.clock.advance(Math.min(left, 1_000));
		await settle();
	}
}
