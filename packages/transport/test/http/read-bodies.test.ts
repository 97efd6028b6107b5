import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type Door, doors, handleDoor } from '../../../../test/support/doors.ts';
import { initializeMessage, Rig, type RigOptions } from '../../../../test/support/rig.ts';

type Take = (bytes: Buffer) => unknown;

/** A door whose server reads each body before the transport does, and hands over what `take` makes of it. */
function reading(door: Door, take: Take): Door {
	return {
		name: door.name,
		open: (transport) =>
			door.open({
				handle: async (request, response) => {
					if (request.method !== 'POST') return transport.handle(request, response);
					const body = take(Buffer.concat(await Readable.prototype.toArray.call(request)));
					transport.handle(Object.assign(request, { body }), response);
				},
				respond: async (request) => {
					if (request.method !== 'POST') return transport.respond(request);
					return transport.respond(request, { parsedBody: take(Buffer.from(await request.arrayBuffer())) });
				},
			}),
	};
}

describe.each(doors)('a body that was read before the transport gets the request, through $name', (door) => {
	const open = (take: Take, options?: RigOptions) => Rig.open(reading(door, take), options);

	it.each<[string, Take]>([
		['parsed', (bytes) => JSON.parse(bytes.toString())],
		['as a Buffer', (bytes) => bytes],
		['as a Uint8Array', (bytes) => new Uint8Array(bytes)],
		['as text', (bytes) => bytes.toString()],
	])('is taken from the caller: %s', async (_, take) => {
		const rig = await open(take);
		const client = await rig.session();
		expect(await client.ask('echo', { text: 'ü€𝄞' })).toBe('ü€𝄞');
	});

	it.each([undefined, null])('is answered at once with what to do where the caller passes %s', async (body) => {
		const rig = await open(() => body);
		const answer = await rig.initialize();
		expect(answer.status).toBe(500);
		const { error } = await answer.json();
		expect(error.message).toContain('request.body');
		expect(rig.errors.map(({ message }) => message)).toEqual([error.message]);
		expect(rig.transport.stats().bodyBytes).toBe(0);
	});

	it.each<[string, Take]>([
		['bytes', (bytes) => bytes],
		['text', (bytes) => bytes.toString()],
	])('is held to the limit and must be JSON: %s', async (_, take) => {
		const rig = await open(take, { maxBodyBytes: 1_000 });
		expect((await rig.post(`${JSON.stringify(initializeMessage())}${' '.repeat(1_000)}`)).status).toBe(413);
		const answer = await rig.post('{');
		expect([answer.status, (await answer.json()).error.code]).toEqual([400, -32700]);
		expect(rig.transport.stats().bodyBytes).toBe(0);
	});
});

it('an empty object that a parser leaves where it read nothing is no body', async () => {
	const rig = await Rig.open({
		name: 'handle',
		open: ({ handle }) =>
			handleDoor.open({ handle: (request, response) => handle(Object.assign(request, { body: {} }), response) }),
	});
	expect((await rig.initialize()).status).toBe(200);
});

it('a body of which somebody has read only the beginning is answered at once', async () => {
	const rig = await Rig.open({
		name: 'handle',
		open: ({ handle }) =>
			handleDoor.open({
				handle: (request, response) => request.once('data', () => handle(request.pause(), response)),
			}),
	});
	const answer = await rig.send({ body: ['{', '}'], headers: { accept: '*/*', 'content-type': 'application/json' } });
	expect(answer.status).toBe(500);
});
