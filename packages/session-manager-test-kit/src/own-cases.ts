export { assertUnknown, pages } from './info/unknown-session.js';
export { sampleRecord } from './sample-record.js';
export { after, numbers, open, type Received, StreamClient, sse } from './stream-client.js';
export { until } from './until.js';
