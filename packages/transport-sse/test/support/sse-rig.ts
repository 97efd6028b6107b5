import type { Session } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';
import type { SdkServer } from '@holdfast/transport';
import { onTestFinished } from 'vitest';
import { SseClient } from '../../../../test/support/clients/sse-client.ts';
import type { WireResponse } from '../../../../test/support/clients/wire-response.ts';
import type { Door, OpenDoor, WireRequest } from '../../../../test/support/doors.ts';
import { type OpenOptions as InitializeOptions, tools } from '../../../../test/support/rig.ts';
import { type Sdk, type ServerDesign, v1McpServer } from '../../../../test/support/servers.ts';
import { SseTransport, type SseTransportOptions } from '../../src/index.ts';

/** What a test wants of its server. */
export interface SseRigOptions extends SseTransportOptions, Partial<ServerDesign> {
	/** Which SDK makes the servers (default v1's `McpServer`). */
	readonly sdk?: Sdk;
	/** Makes the servers itself. */
	readonly createServer?: (session: Session) => SdkServer | Promise<SdkServer>;
}

/** A transport behind a door, with a clock that stands still; closed when the test is over. */
export class SseRig {
	readonly transport: SseTransport;
	readonly clock: ManualClock;
	readonly door: OpenDoor;
	/** What `onerror` was told. */
	readonly errors: Error[];
	/** The session of each server that was made, in order. */
	readonly made: Session[];
	readonly #path: string;

	private constructor(
		transport: SseTransport,
		clock: ManualClock,
		door: OpenDoor,
		errors: Error[],
		made: Session[],
		path: string,
	) {
		this.transport = transport;
		this.clock = clock;
		this.door = door;
		this.errors = errors;
		this.made = made;
		this.#path = path;
	}

	static async open(door: Door, options: SseRigOptions = {}): Promise<SseRig> {
		const { sdk = v1McpServer, createServer, tools: own, subscribeHandler, capabilities, ...rest } = options;
		const design = { tools: { ...tools, ...own }, ...(subscribeHandler && { subscribeHandler }), capabilities };
		const clock = (options.clock as ManualClock | undefined) ?? new ManualClock(1_000_000);
		const errors: Error[] = [];
		const made: Session[] = [];
		const transport = new SseTransport(
			(session) => {
				made.push(session);
				return createServer === undefined ? sdk.make(design, session) : createServer(session);
			},
			{ clock, onerror: (error) => errors.push(error), ...rest },
		);
		const opened = await door.open(transport);
		onTestFinished(async () => {
			await transport.close();
			await opened.close();
		});
		return new SseRig(transport, clock, opened, errors, made, options.path ?? '/sse');
	}

	/** Moves time on, second by second, and lets what falls due happen. */
	async advance(ms: number): Promise<void> {
		const step = Math.max(1_000, ms / 1_000);
		for (let left = ms; left > 0; left -= step) {
			this.clock.advance(Math.min(left, step));
			await new Promise((resolve) => setImmediate(resolve));
		}
	}

	/** Sends a request as it stands. */
	send(request: WireRequest): Promise<WireResponse> {
		return this.door.send(request);
	}

	/** Sends a GET for a stream; resolves with the head of the response. */
	get(headers: Readonly<Record<string, string | undefined>> = {}): Promise<WireResponse> {
		return this.send({ method: 'GET', path: this.#path, headers: { accept: 'text/event-stream', ...headers } });
	}

	/** Opens a stream and reads its endpoint. */
	async open(headers: Readonly<Record<string, string | undefined>> = {}): Promise<SseClient> {
		const stream = await this.get(headers);
		const { data } = await stream.event(0);
		return new SseClient(this, stream, data ?? '', headers);
	}

	/** Opens a session, as a client does: a stream, `initialize`, then `notifications/initialized`. */
	async session(
		options: InitializeOptions = {},
		headers: Readonly<Record<string, string | undefined>> = {},
	): Promise<SseClient> {
		const client = await this.open(headers);
		await client.initialize(options);
		await client.notify('notifications/initialized');
		return client;
	}

	/** POSTs a body with the headers of a good client; `headers` are added, or replace them. */
	post(path: string, body: unknown, headers: Readonly<Record<string, string | undefined>> = {}): Promise<WireResponse> {
		return this.send({
			path,
			headers: { 'content-type': 'application/json', ...headers },
			body: typeof body === 'string' ? body : JSON.stringify(body),
		});
	}
}
