export { SseTransport, type SseTransportOptions } from './sse-transport.js';
