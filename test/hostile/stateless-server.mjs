import { HttpTransport } from '@holdfast/transport-http';
import { serve } from './besieged.mjs';

const stateless = { requestState: { keys: ['a key of at least thirty-two bytes'] }, tasks: {} };
await serve((makeServer, options) => new HttpTransport(makeServer, { ...options, stateless, sseAfterMs: 40 }));
