import type { Report } from './finding.js';
import { type Watched, watch } from './http.js';
import type { Patience } from './patience.js';

/** Opens the stream of a session and watches what proxies do to it. */
export async function examineStream(
	url: string,
	session: Readonly<Record<string, string>>,
	{ watchMs, firstByteMs, silentMs }: Patience,
	report: Report,
): Promise<void> {
	const headers = { ...session, accept: 'text/event-stream', 'accept-encoding': 'gzip, br' };
	const stream = await watch(url, headers, watchMs, firstByteMs);
	// A server may have no streams (405).
	if (stream.status >= 400) return;
	const coding = stream.headers['content-encoding'];
	if (coding !== undefined && coding !== 'identity') {
		const what = `A proxy compresses streams (${coding}), which holds events back.`;
		report('stream-compressed', what, 'Turn compression off for text/event-stream (nginx: gzip off).');
	}
	if (stream.firstByteAt === undefined) {
		const what = `Nothing of a stream arrives within ${seconds(firstByteMs)} s: a proxy buffers it.`;
		return report('stream-buffered', what, 'Turn buffering off for the endpoint (nginx: proxy_buffering off).');
	}
	if (stream.endedAt !== undefined) return reportCut(stream, stream.endedAt, watchMs, report);
	if (stream.hasKeptAlive || watchMs < silentMs) return;
	const what = `An idle stream carries nothing for ${seconds(watchMs)} s.`;
	report('stream-silent', what, 'Set keepAliveMs on every node to less than any idle timeout on the way.');
}

function reportCut({ hasKeptAlive, lastByteAt = 0 }: Watched, endedAt: number, watchMs: number, report: Report): void {
	if (endedAt >= watchMs) return;
	if (!hasKeptAlive) {
		const idle = seconds(endedAt - lastByteAt);
		const what = `A stream is cut after ${idle} s without an event: keep-alives come too late for a proxy.`;
		const repair = `Set keepAliveMs to less than ${idle} s, or raise the idle timeout (nginx: proxy_read_timeout).`;
		return report('stream-idle-cut', what, repair);
	}
	const what = `A stream is cut after ${seconds(endedAt)} s although it carries keep-alives.`;
	report(
		'stream-cut',
		what,
		'Set no limit on how long a response may take (Envoy: timeout 0s; Gateway API: request 0s).',
	);
}

function seconds(ms: number): string {
	return (ms / 1_000).toFixed(ms < 10_000 ? 1 : 0);
}
