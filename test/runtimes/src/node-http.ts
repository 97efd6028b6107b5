import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import transport from './transport.ts';

const server = createServer(transport.handle);
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
