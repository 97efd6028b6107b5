import type { Page, View } from '../pages/view.js';
import { to } from '../pages/view.js';
import { type Html, html } from './html.js';

/** An entry of the navigation. */
interface Place {
	readonly path: string;
	readonly name: string;
	/** Draws its icon, in a square of 16. */
	readonly icon: string;
}

const places: readonly Place[] = [
	{ path: '', name: 'Overview', icon: 'M2 9h3l2-6 3 10 2-4h2' },
	{ path: 'sessions', name: 'Sessions', icon: 'M2.5 4h11M2.5 8h11M2.5 12h7' },
	{
		path: 'people',
		name: 'People',
		icon: 'M8 8a2.75 2.75 0 1 0 0-5.5A2.75 2.75 0 0 0 8 8ZM2.75 13.5a5.25 5.25 0 0 1 10.5 0',
	},
	{ path: 'nodes', name: 'Nodes', icon: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01' },
	{ path: 'activity', name: 'Activity', icon: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 5v3.25L10 10' },
	{ path: 'doctor', name: 'Doctor', icon: 'M8 3.5v9M3.5 8h9' },
];

/** What the surroundings of a page need to know. */
export interface Surroundings extends Pick<View, 'root' | 'operator' | 'actions' | 'now'> {
	readonly hasDoctor: boolean;
}

/** Writes a whole page. */
export function layout(around: Surroundings, { title, place, content, status = 200 }: Page): string {
	const { root, operator, actions, now } = around;
	// An outage ends; what is not there stays away.
	const isLive = status === 200 || status === 503;
	const shown = places.filter(({ path }) => path !== 'doctor' || around.hasDoctor);
	return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title} · Holdfast</title>
<link rel="icon" type="image/svg+xml" href="${root}assets/icon.svg">
<link rel="stylesheet" href="${root}assets/style.css">
<script src="${root}assets/live.js" defer></script>
</head>
<body${isLive && html` data-events="${root}events"`}${status === 503 && html` data-problem`}>
<a class="skip" href="#main">Skip to content</a>
<header class="side">
<a class="brand" href="${root}"><img src="${root}assets/icon.svg" alt="" width="28" height="28"><span>Holdfast</span></a>
<p class="live" id="live" role="status" data-state="still">As of ${new Date(now).toISOString().slice(11, 19)} UTC</p>
<nav aria-label="Pages"><ul>${shown.map((entry) => navEntry(around, entry, place))}</ul></nav>
<p class="who"><span class="unseen">Operator: </span><strong>${operator}</strong><br>${
		actions.size === 0 ? 'looks only' : `may ${[...actions].join(', ')}`
	}</p>
</header>
<main id="main" tabindex="-1">
${content}
</main>
</body>
</html>
`.toString();
}

function navEntry(around: Surroundings, { path, name, icon }: Place, place: string | undefined): Html {
	const current = path === place;
	return html`<li><a href="${to(around, path)}"${current && html` aria-current="page"`}><svg aria-hidden="true" viewBox="0 0 16 16"><path d="${icon}"/></svg>${name}</a></li>
`;
}

/** Writes a page for whoever cannot be let in: it tells nothing of what is behind it. */
export function bareLayout(root: string, title: string, text: string): string {
	return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Holdfast</title>
<link rel="icon" type="image/svg+xml" href="${root}assets/icon.svg">
<link rel="stylesheet" href="${root}assets/style.css">
</head>
<body class="bare">
<main id="main">
<img src="${root}assets/icon.svg" alt="" width="40" height="40">
<h1>${title}</h1>
<p>${text}</p>
</main>
</body>
</html>
`.toString();
}
