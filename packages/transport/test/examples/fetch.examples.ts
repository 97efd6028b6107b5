// The example in the doc comment of `fetch` in server-transport.ts: a module that a fetch runtime serves.
import type { ServerTransport } from '../../src/index.ts';

declare const transport: ServerTransport;

//#region fetch
export default transport;

// Or, as a route of a framework:
export const GET = transport.fetch;
export const POST = transport.fetch;
export const DELETE = transport.fetch;
//#endregion fetch
