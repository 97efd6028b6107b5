import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { TurnWrites } from '@holdfast/session-manager/internal';
import { describe, expect, it } from 'vitest';

/** Keeps how many chunks came with each write. */
function counted(): { readonly writes: number[]; readonly connection: Writable } {
	const writes: number[] = [];
	const connection = new Writable({
		write: (_chunk, _encoding, done) => {
			writes.push(1);
			done();
		},
		writev: (chunks, done) => {
			writes.push(chunks.length);
			done();
		},
	});
	return { writes, connection };
}

describe('commands of one turn of the event loop', () => {
	function send(turn: TurnWrites, connection: Writable, count: number): void {
		for (let n = 0; n < count; n++) {
			turn.add();
			connection.write('command');
		}
	}

	/** Long enough for whatever is kept back. */
	async function someTurns(): Promise<void> {
		for (let n = 0; n < 5; n++) await endOfTurn();
	}

	it('leave in one write', async () => {
		const { writes, connection } = counted();
		const turn = new TurnWrites(() => [connection]);
		send(turn, connection, 10);
		expect(writes).toEqual([]);
		await someTurns();
		expect(writes).toEqual([10]);
		send(turn, connection, 1);
		await someTurns();
		expect(writes).toEqual([10, 1]);
	});

	it('wait for those of the next turns, but not for more than a few', async () => {
		const { writes, connection } = counted();
		const turn = new TurnWrites(() => [connection]);
		for (let n = 0; n < 12; n++) {
			send(turn, connection, 2);
			await endOfTurn();
		}
		await someTurns();
		expect(writes).toEqual([8, 8, 8]);
	});

	it('begin to leave before the turn is over where they are many', async () => {
		const { writes, connection } = counted();
		const turn = new TurnWrites(() => [connection]);
		send(turn, connection, 130);
		expect(writes).toEqual([64, 64]);
		await someTurns();
		expect(writes).toEqual([64, 64, 2]);
	});

	it('leave on each connection, also where there is none or another meanwhile', async () => {
		const [first, second] = [counted(), counted()];
		let connections: Writable[] = [];
		const turn = new TurnWrites(() => connections);
		turn.add();
		await someTurns();
		connections = [first.connection, second.connection];
		send(turn, first.connection, 2);
		send(turn, second.connection, 3);
		await someTurns();
		connections = [second.connection];
		send(turn, first.connection, 1);
		expect([first.writes, second.writes]).toEqual([[2, 1], [3]]);
	});

	it('all arrive, however full the connection is', async () => {
		let received = 0;
		const size = 4_000;
		const server = createServer((peer) => peer.on('data', (data) => (received += data.byteLength)));
		server.listen(0, '127.0.0.1');
		await once(server, 'listening');
		const address = server.address();
		const socket: Socket = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
		const turn = new TurnWrites(() => [socket]);
		const command = 'x'.repeat(size);
		for (let n = 1; n <= 2_000; n++) {
			turn.add();
			socket.write(command);
			if (n % 7 === 0) await endOfTurn();
		}
		socket.end();
		await once(socket, 'close');
		expect(received).toBe(2_000 * size);
		server.close();
	});
});
