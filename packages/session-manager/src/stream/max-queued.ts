/** How many live events are queued until a client may have them; one that would need more must resume. */
export const MAX_QUEUED = 10_000;
