import type { NodeEnd } from '../history/node-process.ts';
import type { Attempt, Call, Question, Reports, Session } from './record.ts';

/** A demand that was not met. */
export interface Violation {
	readonly type:
		| 'no end'
		| 'two ends'
		| 'wrong end'
		| 'wrong message'
		| 'failed without a fault'
		| 'answer lost'
		| 'progress lost'
		| 'cancel lost'
		| 'served after its end'
		| 'session lost'
		| 'crash';
	/** The call or the session. */
	readonly of: string;
	readonly detail: string;
}

/** What there is to judge by. */
export interface Evidence {
	readonly calls: readonly Call[];
	readonly sessions: readonly Session[];
	readonly reports: Reports;
	/** Whether anything went wrong that calls may suffer from. */
	readonly troubled: boolean;
	/** How a life of a node ended. */
	endOf(node: string): NodeEnd | undefined;
}

/**
 * A 202 may overtake what a node does at the same time by so much, in milliseconds: times of processes are compared.
 */
const SAME_TIME_MS = 50;
/** A result that is on its way when a call is cancelled was made so soon after, in milliseconds. */
const ON_ITS_WAY_MS = 1_000;

/** Judges a schedule from outside. */
export function judge(evidence: Evidence): Violation[] {
	return [
		...evidence.calls.flatMap((call) => [
			...judgeEnd(call, evidence),
			...judgeCancel(call, evidence),
			...call.questions.flatMap((question) => judgeQuestion(call, question, evidence)),
		]),
		...evidence.sessions.flatMap((session) => judgeSession(session, evidence)),
	];
}

/** Each accepted call has exactly one end. */
function judgeEnd(call: Call, { troubled }: Evidence): Violation[] {
	const { ends, session, plan, cancels, over } = call;
	const violations: Violation[] = call.wrongs.map((detail) => violation('wrong message', call, detail));
	for (const end of ends) {
		if (end.wrong !== undefined) violations.push(violation('wrong end', call, `${end.wrong}: ${end.text}`));
	}
	if (ends.length > 1) {
		const texts = ends.map(({ text }) => text.slice(0, 120)).join(' and ');
		violations.push(violation('two ends', call, `${texts}${call.lookedAgain ? ', after it came back' : ''}`));
	}
	const quiet = !troubled && !call.dropped && cancels.length === 0 && session.deletingAt === undefined;
	const [end] = ends;
	if (quiet && end?.type === 'error') violations.push(violation('failed without a fault', call, end.text));
	if (end !== undefined || !isAccepted(call)) return violations;
	const cancelled = taken(cancels) !== undefined;
	const mayBeOver = cancels.length > 0 || session.deletingAt !== undefined;
	const story = `${plan.kind}, ${call.resumes} resumes, ${call.dropped ? 'dropped' : 'not dropped'}`;
	const missing = (detail: string) => violations.push(violation('no end', call, `${detail} (${story})`));
	if (over === undefined) {
		if (!cancelled) missing('the client waits');
		else if (session.transport === 'http') missing('it was cancelled, but its stream is open');
	} else if (over === 'stream over' && !mayBeOver) missing('a node says that the stream is over');
	else if ((over === 'no event id' || over === 'stream lost') && quiet) missing(`the connection broke: ${over}`);
	return violations;
}

/** A cancellation that was taken ends the call without a result, or with one that was on its way. */
function judgeCancel(call: Call, { reports, endOf }: Evidence): Violation[] {
	const cancel = taken(call.cancels);
	if (cancel?.answeredAt === undefined || endOf(call.node) !== undefined) return [];
	const end = reports.get(call.nonce, 'ended', 'aborted', 'failed');
	const afterMs = Math.round((end?.at ?? 0) - cancel.answeredAt);
	if (end === undefined) return [violation('cancel lost', call, 'the tool still runs')];
	if (end.type !== 'ended' || afterMs <= ON_ITS_WAY_MS) return [];
	return [violation('cancel lost', call, `the tool ended by itself ${afterMs} ms later`)];
}

/** An answer that was taken reached the tool, after the progress that was taken before. */
function judgeQuestion(call: Call, question: Question, { reports, endOf }: Evidence): Violation[] {
	const { wireId, word, progress } = question;
	const answer = taken(question.answers);
	const end = endOf(call.node);
	const asked = reports.get(call.nonce, 'asked');
	if (end === 'killed') return [];
	if (answer?.answeredAt !== undefined && asked?.word !== word) {
		const aborted = call.cancels.length > 0 || call.session.deletingAt !== undefined || call.session.streamLost;
		const endedBefore = asked !== undefined && asked.at <= answer.answeredAt + SAME_TIME_MS;
		if (endedBefore || aborted || end === 'left') return [];
		const instead = asked === undefined ? 'still waits' : `was told ${asked.word ?? asked.failure}`;
		return [violation('answer lost', call, `${wireId} was taken, but the tool ${instead}`)];
	}
	if (asked?.word !== word) return [];
	const seen = asked.seen ?? [];
	const expected = progress.filter(({ attempt }) => attempt.status === 202).map(({ value }) => value);
	const lost = expected.filter((value) => !seen.includes(value));
	if (lost.length > 0) return [violation('progress lost', call, `of ${expected} the tool saw ${seen}`)];
	const ordered = seen.every((value, index) => index === 0 || value > (seen[index - 1] ?? 0));
	return ordered ? [] : [violation('progress lost', call, `the tool saw ${seen}, in this order`)];
}

/** A session lives until it is ended; then no node serves it. */
function judgeSession(session: Session, { troubled }: Evidence): Violation[] {
	const { deletedAt, deletingAt, exchanges } = session;
	const violations = session.wrongs.map((detail) => violation('wrong message', session, detail));
	if (deletingAt === undefined && !session.streamLost) {
		const lost = exchanges.filter(({ status }) => status === 404);
		for (const { what, node } of lost) violations.push(violation('session lost', session, `${what} on ${node}: 404`));
	}
	if (deletedAt === undefined) return violations;
	const served = new Map<string, string[]>();
	for (const { what, node, sentAt, status } of exchanges) {
		// A node that cannot reach its store serves nobody, and says so.
		if (sentAt <= deletedAt || status === 404 || (status === 503 && troubled)) continue;
		served.set(node, [...(served.get(node) ?? []), `${what} ${sentAt - deletedAt} ms after: ${status}`]);
	}
	for (const [node, answers] of served) {
		const last = answers.length > 1 ? `, and ${answers.length - 1} more until ${answers.at(-1)}` : '';
		violations.push(violation('served after its end', session, `on ${node}: ${answers[0]}${last}`));
	}
	return violations;
}

/** Whether a node took the call. */
export function isAccepted({ session, status }: Call): boolean {
	return status === (session.transport === 'http' ? 200 : 202);
}

function taken(attempts: readonly Attempt[]): Attempt | undefined {
	return attempts.find(({ status }) => status === 202);
}

function violation(type: Violation['type'], of: Call | Session, detail: string): Violation {
	return { type, of: 'nonce' in of ? of.nonce : of.name, detail };
}
