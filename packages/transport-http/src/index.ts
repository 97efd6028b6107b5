export { HttpTransport, type HttpTransportOptions } from './http-transport.js';
export type { ResponseMode } from './post-answer.js';
