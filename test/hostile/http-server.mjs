import { HttpTransport } from '@holdfast/transport-http';
import { serve } from './besieged.mjs';

await serve((makeServer, options) => new HttpTransport(makeServer, { ...options, sseAfterMs: 40 }));
