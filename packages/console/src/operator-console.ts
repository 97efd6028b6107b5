import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, systemClock } from '@holdfast/session-manager/custom';
import { checkOptions, toError } from '@holdfast/session-manager/internal';
import { icon } from './assets/icon.js';
import { liveScript } from './assets/live-script.js';
import { style } from './assets/style.js';
import { Census } from './data/census.js';
import { Examination } from './data/examination.js';
import { Pulse } from './data/pulse.js';
import { SessionFinder } from './data/session-finder.js';
import { html } from './html/html.js';
import { bareLayout, layout } from './html/layout.js';
import { type Admission, admissionBy } from './http/authorization.js';
import { type GuardRefusal, guardOf } from './http/guard.js';
import { LiveEvents } from './http/live-events.js';
import { FormError, readForm } from './http/read-form.js';
import { type Reply, redirect, send } from './http/reply.js';
import { Secrets } from './http/secrets.js';
import { type OperatorConsoleOptions, operatorConsoleSchemas } from './options.js';
import { heading } from './pages/parts.js';
import type { ConsoleParts, Page } from './pages/view.js';
import { type Route, routes } from './routes.js';

const HTML = 'text/html; charset=utf-8';

/** Files of the console itself, for everybody: they say nothing of what it shows. */
const assets: Readonly<Record<string, readonly [type: string, body: string]>> = {
	'assets/style.css': ['text/css; charset=utf-8', style],
	'assets/live.js': ['text/javascript; charset=utf-8', liveScript],
	'assets/icon.svg': ['image/svg+xml', icon],
};

/** One request, as the console takes it. */
interface Call {
	readonly request: IncomingMessage;
	readonly response: ServerResponse;
	/** What follows the console's own path. */
	readonly path: string;
	readonly query: URLSearchParams;
	/** From the page to the console's first one. */
	readonly root: string;
}

/**
 * Pages for operators: sessions, people, nodes, what happens and what is wrong, and, where you allow them, actions with
 * an audit. Nobody can look who is not authorized, and nothing can be done that `actions` does not name.
 *
 * @example
 * ```ts source="../test/examples/console.examples.ts#mount"
 * const activity = new Activity();
 * const transport = new HttpTransport(makeServer, { sessionManager, observe: activity });
 * const operators = new OperatorConsole({
 * 	transport,
 * 	info: sessionManager.info,
 * 	activity,
 * 	authorize: (request) => operatorOf(request),
 * 	actions: ['suspend', 'end'],
 * 	allowedHosts: ['tools.example'],
 * });
 * const server = createServer((request, response) => {
 * 	operators.handle(request, response, () => transport.handle(request, response));
 * });
 * ```
 */
export class OperatorConsole {
	readonly #path: string;
	readonly #clock: Clock;
	readonly #guard: (request: IncomingMessage) => GuardRefusal | undefined;
	readonly #admit: (request: IncomingMessage, token: string | undefined) => Admission | PromiseLike<Admission>;
	readonly #challenge: string | undefined;
	readonly #report: (error: Error) => void;
	readonly #parts: ConsoleParts;
	readonly #live: LiveEvents;
	readonly #stopListening: () => void;

	/** Throws `TypeError` for options that cannot work. */
	constructor(options: OperatorConsoleOptions) {
		checkOptions('OperatorConsole', operatorConsoleSchemas, options);
		const { transport, info, conversations, activity, clock = systemClock, diagnose } = options;
		this.#path = `${(options.path ?? '/console').replace(/\/+$/, '')}/`;
		this.#clock = clock;
		this.#guard = guardOf(options.allowedHosts);
		this.#admit = admissionBy(options.authorize);
		this.#challenge = options.challenge;
		this.#report = options.onerror ?? ((error) => process.emitWarning(error));
		this.#live = new LiveEvents(clock);
		this.#parts = {
			transport,
			info,
			conversations,
			activity,
			actions: new Set(options.actions),
			pulse: new Pulse(transport, info, activity, clock),
			census: new Census(info, clock),
			finder: new SessionFinder(info),
			secrets: new Secrets(clock, options.secret),
			examination: diagnose && new Examination(diagnose, clock),
		};
		const changed = () => this.#live.changed();
		this.#parts.pulse.onchange = changed;
		if (this.#parts.examination !== undefined) this.#parts.examination.onchange = changed;
		this.#stopListening = activity?.onChange(changed) ?? (() => {});
	}

	/**
	 * Serves a request of `node:http`, or of a framework built on it. For a path that is not below the console's own it
	 * calls `next`, or responds with 404 where `next` is no function. Never throws.
	 */
	readonly handle = (request: IncomingMessage, response: ServerResponse, next?: unknown): void => {
		// Express takes off the path under which it mounts something.
		const { originalUrl } = request as { readonly originalUrl?: unknown };
		const target = typeof originalUrl === 'string' ? originalUrl : (request.url ?? '/');
		const [path = '', ...query] = target.split('?');
		if (`${path}/` === this.#path) {
			const name = path.slice(path.lastIndexOf('/') + 1);
			return send(response, redirect(`${name}/${query.length === 0 ? '' : `?${query.join('?')}`}`));
		}
		if (path.startsWith(this.#path)) {
			const rest = path.slice(this.#path.length);
			const depth = rest.split('/').length - 1;
			const root = depth === 0 ? './' : '../'.repeat(depth);
			void this.#serve({ request, response, path: rest, query: new URLSearchParams(query.join('?')), root });
		} else if (typeof next === 'function') next();
		else send(response, bare('./', 404, 'Not found', 'There is no console at this path.'));
	};

	/** Ends what is live. Pages that are open try to come back. Idempotent. */
	close(): void {
		this.#stopListening();
		this.#parts.pulse.close();
		this.#live.close();
	}

	/** Calls {@link close}. */
	[Symbol.dispose](): void {
		this.close();
	}

	/** Never rejects. */
	async #serve(call: Call): Promise<void> {
		const { request, response, root } = call;
		let reply: Reply | undefined;
		try {
			reply = await this.#reply(call);
		} catch (error) {
			this.#report(toError(error));
			reply = bare(root, 500, 'Something is wrong', 'The console could not make this page. Its server knows more.');
		}
		if (reply !== undefined) send(response, reply, request.method === 'HEAD');
	}

	/** Resolves with what is sent; `undefined` where that has begun. */
	async #reply(call: Call): Promise<Reply | undefined> {
		const { request, response, path, query, root } = call;
		const refusal = this.#guard(request);
		if (refusal !== undefined) return bare(root, 403, 'Not from here', refusals[refusal]);
		const isRead = request.method === 'GET' || request.method === 'HEAD';
		const asset = Object.hasOwn(assets, path) ? assets[path] : undefined;
		if (asset !== undefined)
			return isRead ? { status: 200, headers: { 'content-type': asset[0] }, body: asset[1] } : notAllowed(root, 'GET');
		const token = path === '' && isRead ? (query.get('token') ?? undefined) : undefined;
		const admission = await this.#admit(request, token);
		if ('cookie' in admission) return redirect('./', { 'set-cookie': admission.cookie });
		if ('refused' in admission) return this.#refuse(root, admission.refused);
		const operator = admission.operator.name;
		if (path === 'events') {
			if (!isRead) return notAllowed(root, 'GET');
			this.#parts.pulse.watch();
			return this.#live.open(response) ? undefined : bare(root, 503, 'Too many pages', 'Too many pages are live.');
		}
		const found = routes.filter((route) => route.path.test(path));
		const route = found.find(({ method }) => (isRead ? 'GET' : request.method) === method);
		if (route !== undefined) return this.#run(call, route, operator);
		if (found.length > 0) return notAllowed(root, found.map(({ method }) => method).join(', '));
		return this.#page(root, operator, {
			status: 404,
			title: 'Not found',
			content: html`${heading('Not found')}<p class="empty">There is no such page. <a href="${root}">Overview</a></p>`,
		});
	}

	async #run(call: Call, { method, path, handler, action }: Route, operator: string): Promise<Reply> {
		const { request, query, root } = call;
		const problem = (status: number, title: string, text: string) =>
			this.#page(root, operator, { status, title, content: html`${heading(title)}<p class="empty">${text}</p>` });
		if (action !== undefined && !this.#parts.actions.has(action))
			return problem(403, 'Not allowed', 'This console does not allow that.');
		try {
			const form = method === 'POST' ? await readForm(request) : new URLSearchParams();
			if (method === 'POST' && !this.#parts.secrets.isFormToken(form.get('token') ?? '', operator))
				return problem(
					403,
					'Too old',
					'This form is too old, or of another console. Go back, read the page again, and send it again.',
				);
			const names = path.exec(call.path)?.slice(1) ?? [];
			const view = { ...this.#parts, root, query, form, names, now: this.#clock.now(), operator };
			const result = await handler(view);
			return 'content' in result ? this.#page(root, operator, result) : result;
		} catch (error) {
			if (error instanceof FormError) return problem(error.status, 'Not understood', error.message);
			// Of either store.
			if ((error as { readonly code?: unknown } | undefined)?.code !== 'unavailable') throw error;
			return problem(503, 'The store is away', 'It does not answer. This page comes back when it does.');
		}
	}

	#page(root: string, operator: string, page: Page): Reply {
		const { actions, examination } = this.#parts;
		const around = { root, operator, actions, now: this.#clock.now(), hasDoctor: examination !== undefined };
		const { status = 200 } = page;
		const headers = { 'content-type': HTML, ...(status === 503 && { 'retry-after': '5' }) };
		return { status, headers, body: layout(around, page) };
	}

	#refuse(root: string, why: 'unknown' | 'remote'): Reply {
		if (why === 'remote')
			return bare(root, 403, 'Not from here', 'This console is for programs of its own machine, and for no proxy.');
		const reply = bare(root, 401, 'Who are you?', 'Sign in first. An address with a token opens the console once.');
		if (this.#challenge === undefined) return reply;
		return { ...reply, headers: { ...reply.headers, 'www-authenticate': this.#challenge } };
	}
}

const refusals: Readonly<Record<GuardRefusal, string>> = {
	host: 'The console is not known under this host name: its option allowedHosts names those that are.',
	origin: 'Another page sent this request. Only pages of the console can.',
};

function bare(root: string, status: number, title: string, text: string): Reply {
	return { status, headers: { 'content-type': HTML }, body: bareLayout(root, title, text) };
}

function notAllowed(root: string, allow: string): Reply {
	const reply = bare(root, 405, 'Not understood', 'This address does not take such requests.');
	return { ...reply, headers: { ...reply.headers, allow } };
}
