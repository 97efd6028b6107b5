// In an application of Next.js this file is app/mcp/route.ts.
import { transport } from '../../transport.js';

/** Sessions and streams need a process that stays: not the edge runtime. */
export const runtime = 'nodejs';
/** Nothing here is rendered ahead or cached. */
export const dynamic = 'force-dynamic';
/** How long a platform may let a stream stay open, in seconds. Clients come back and go on where they were. */
export const maxDuration = 300;

export const GET = transport.fetch;
export const POST = transport.fetch;
export const DELETE = transport.fetch;
export const OPTIONS = transport.fetch;
