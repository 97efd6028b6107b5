/** The session with this number. */
export function subscriberId(n: number): string {
	return `subscriber-${n}`;
}

/** The resource that has so many subscribers. */
export function uriFor(subscribers: number): string {
	return `bench://subscribers/${subscribers}`;
}
