export { type ShutdownOptions, shutdown } from '@holdfast/transport';
export { SseTransport, type SseTransportOptions } from './sse-transport.js';
