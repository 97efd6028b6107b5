import { SseTransport } from '@holdfast/transport-sse';
import { serve } from '../../../transport-http/test/hostile/besieged.mjs';

await serve((makeServer, options) => new SseTransport(makeServer, { ...options, graceMs: 500 }));
