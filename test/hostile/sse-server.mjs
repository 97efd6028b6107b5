import { SseTransport } from '@holdfast/transport-sse';
import { serve } from './besieged.mjs';

await serve((makeServer, options) => new SseTransport(makeServer, { ...options, graceMs: 5_000 }));
