/**
 * Clients of one server, each with an open stream: `node fanout-client.js <port> <file> [<next port>]`, where the file
 * has one session id a line, or `-` for a listen stream. It reports to its parent when every stream is open, and when
 * each has received one more broadcast. Where the server goes away, the clients go on at the next port, each after the
 * last event id that it has seen; that is reported once all are open again.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type FanoutReport, LISTEN } from './fanout-report.js';
import { commonHeaders, listen, listenHeaders, toolsChanged, versionHeader } from './mcp-messages.js';

const MARK = 'list_changed';
const LINE_FEED = 10;
/** How many streams are opened at the same time. */
const OPENING = 64;

const [, , port = '', file = '', nextPort] = process.argv;
const sessions = readFileSync(file, 'utf8').trim().split('\n');
const buffer = Buffer.alloc(64 * 1024);

let opened = 0;
let heard = 0;
let first = 0;
/** The broadcasts that each client has had. */
const counts = new Uint32Array(sessions.length);
let round = 0;
/** Where they may go on: the last event id of each, those that lost their stream, and how many are there again. */
const lastIds: (string | undefined)[] = [];
const lost: number[] = [];
let lostAt = 0;
let reopened = 0;
let reopening = 0;

process.once('disconnect', () => process.exit());
let next = 0;
for (let n = 0; n < OPENING; n++) openNext();

function openNext(): void {
	const index = next++;
	if (index < sessions.length) open(index, port, opensFirst);
}

function opensFirst(): void {
	openNext();
	if (++opened === sessions.length) tell({ open: opened });
}

function reopenNext(): void {
	const index = lost[reopening];
	if (index === undefined || nextPort === undefined || reopening - reopened >= OPENING) return;
	reopening++;
	open(index, nextPort, () => {
		if (++reopened === sessions.length) tell({ lostAt, openAt: now() });
		reopenNext();
	});
}

function open(index: number, at: string, opens: () => void): void {
	let begun = false;
	let rest = '';
	const socket: Socket = connect({
		port: Number(at),
		host: '127.0.0.1',
		onread: {
			// One buffer for all: what counts here is the server, not its clients.
			buffer,
			callback: (length) => {
				// The usual case: nothing is left of before, and the event is here as a whole.
				if (round > 0 && rest === '' && nextPort === undefined && buffer[length - 1] === LINE_FEED) {
					const at = buffer.subarray(0, length).indexOf(MARK);
					if (at !== -1 && !buffer.subarray(at + 1, length).includes(MARK)) {
						received(index, MARK);
						return true;
					}
				}
				const text = rest + buffer.toString('latin1', 0, length);
				if (!begun) {
					const end = text.indexOf('\r\n\r\n');
					rest = text;
					if (end === -1) return true;
					if (!text.startsWith('HTTP/1.1 200')) fail(`A stream was refused: ${text.slice(0, end)}`);
					begun = true;
					opens();
				}
				if (nextPort !== undefined) lastIds[index] = /^id: (.+)$/m.exec(text)?.[1] ?? lastIds[index];
				const line = text.lastIndexOf('\n') + 1;
				rest = text.slice(line);
				if (text.includes(MARK)) received(index, text.slice(0, line));
				return true;
			},
		},
	});
	const mayMove = nextPort !== undefined && at !== nextPort;
	socket.on('error', (error) => mayMove || fail(String(error)));
	socket.on('close', () => {
		if (!mayMove) return fail('A stream was closed.');
		if (lost.push(index) === 1) lostAt = now();
		reopenNext();
	});
	socket.write(sessions[index] === LISTEN ? listenRequest() : getRequest(index));
}

function getRequest(index: number): string {
	const resumed = lastIds[index];
	const own = { 'Mcp-Session-Id': sessions[index] ?? '', ...(resumed !== undefined && { 'Last-Event-ID': resumed }) };
	return `GET /mcp HTTP/1.1\r\n${head({ Accept: 'text/event-stream', ...own, ...versionHeader })}`;
}

function listenRequest(): string {
	const length = { 'Content-Length': String(Buffer.byteLength(listen)) };
	return `POST /mcp HTTP/1.1\r\n${head({ ...commonHeaders, ...listenHeaders, ...length })}${listen}`;
}

function head(headers: Readonly<Record<string, string>>): string {
	const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...headers });
	return `${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

function received(index: number, text: string): void {
	const at = now();
	// The first broadcast is compared in full.
	if (round === 0) {
		const data = text.split(/\r?\n/).flatMap((line) => /^data: ?(.+)$/.exec(line)?.[1] ?? []);
		assert.deepEqual(
			data.map((json) => withoutMeta(JSON.parse(json))),
			[JSON.parse(toolsChanged)],
		);
	}
	const count = text === MARK ? 1 : text.split(MARK).length - 1;
	counts[index] = (counts[index] ?? 0) + count;
	if (counts[index] !== round + 1) fail(`A stream had ${counts[index]} broadcasts of ${round + 1}.`);
	if (heard === 0) first = at;
	if (++heard < sessions.length) return;
	heard = 0;
	round++;
	tell({ first, last: at });
}

/** A listen stream names itself in each message. */
function withoutMeta({ params, ...message }: { readonly params?: object }): object {
	return params !== undefined && '_meta' in params ? message : { ...message, ...(params && { params }) };
}

function now(): number {
	return Number(process.hrtime.bigint());
}

function fail(error: string): void {
	tell({ error });
	process.exitCode = 1;
	process.disconnect();
}

function tell(report: FanoutReport): void {
	process.send?.(report);
}
