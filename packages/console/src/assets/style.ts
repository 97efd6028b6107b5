/** The style of all pages. Colours have a contrast of 4.5 and more in both schemes; sizes are multiples of 4 px. */
export const style = `
:root {
	color-scheme: light dark;
	--ground: #f4f6f7;
	--card: #ffffff;
	--sunk: #f0f3f4;
	--text: #14191d;
	--soft: #56626b;
	--edge: #dfe4e7;
	--field: #848f96;
	--accent: #0a6c74;
	--accent-soft: #e0f0f1;
	--accent-fill: #0a6c74;
	--on-fill: #ffffff;
	--good: #0d6e43;
	--good-soft: #e2f4ea;
	--warn: #83510a;
	--warn-soft: #fcefd6;
	--bad: #b02a21;
	--bad-soft: #fde9e7;
	--bad-fill: #b02a21;
	--shadow: 0 1px 2px rgb(20 25 29 / 6%);
	--mono: ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
	--sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "DejaVu Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
	:root {
		--ground: #0e1215;
		--card: #161b1f;
		--sunk: #1c2328;
		--text: #e6ebee;
		--soft: #9aa7b0;
		--edge: #262e34;
		--field: #68747c;
		--accent: #63cdd3;
		--accent-soft: #10292c;
		--accent-fill: #5cc6cd;
		--on-fill: #06262a;
		--good: #6fd3a0;
		--good-soft: #11291e;
		--warn: #eec070;
		--warn-soft: #2e2411;
		--bad: #ff9b92;
		--bad-soft: #351a18;
		--bad-fill: #ff9b92;
		--shadow: none;
	}
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
	margin: 0;
	background: var(--ground);
	color: var(--text);
	font: 400 0.875rem/1.5 var(--sans);
	font-variant-numeric: tabular-nums;
	overflow-wrap: anywhere;
}
h1, h2, p, dl, dd, ul, ol, pre { margin: 0; }
ul, ol { padding: 0; list-style: none; }
h1 { font-size: 1.5rem; line-height: 2rem; font-weight: 650; letter-spacing: -0.015em; text-wrap: balance; }
h2 { font-size: 0.9375rem; line-height: 1.5rem; font-weight: 600; }
a { color: var(--accent); text-decoration: none; text-underline-offset: 0.2em; }
a:hover { text-decoration: underline; }
main p a { text-decoration: underline; text-decoration-thickness: 1px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
main:focus { outline: none; }
code, pre, .id { font-family: var(--mono); font-size: 0.9286em; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.none, .hint { color: var(--soft); font-weight: 400; }
.from { color: var(--soft); font-size: 0.8125rem; }
time { white-space: nowrap; }
.skip {
	position: absolute; left: 8px; top: -64px; z-index: 2; padding: 8px 16px;
	background: var(--accent-fill); color: var(--on-fill); border-radius: 8px;
}
.skip:focus { top: 8px; }

/* Frame */
.side {
	display: grid; grid-template-columns: 1fr auto; align-items: center; gap: 4px 16px;
	padding: 12px 16px 0; background: var(--card); border-bottom: 1px solid var(--edge);
}
.brand {
	display: inline-flex; align-items: center; gap: 10px; justify-self: start; color: var(--text);
	font-size: 1rem; font-weight: 650; letter-spacing: -0.01em;
}
.brand:hover { text-decoration: none; }
.live {
	display: inline-flex; align-items: center; gap: 8px; color: var(--soft); font-size: 0.8125rem;
	white-space: nowrap;
}
.live::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: var(--field); }
.live[data-state="live"]::before { background: var(--good); box-shadow: 0 0 0 3px var(--good-soft); }
.live[data-state="away"]::before { background: var(--warn); box-shadow: 0 0 0 3px var(--warn-soft); }
.side nav { grid-column: 1 / -1; margin: 0 -16px; }
.side nav ul { display: flex; overflow-x: auto; padding: 4px 12px 0; scrollbar-width: none; }
.side nav a {
	display: flex; align-items: center; gap: 8px; padding: 8px 10px 10px; color: var(--soft); font-weight: 500;
	white-space: nowrap; border-bottom: 2px solid transparent;
}
@media (max-width: 440px) { .side nav a { padding-left: 7px; padding-right: 7px; font-size: 0.8125rem; } }
.side nav a:hover { color: var(--text); text-decoration: none; }
.side nav a:focus-visible { outline-offset: -3px; }
.side nav a[aria-current] { color: var(--accent); border-bottom-color: var(--accent); }
.side nav svg {
	display: none; width: 16px; height: 16px; flex: none; fill: none; stroke: currentcolor; stroke-width: 1.5;
	stroke-linecap: round; stroke-linejoin: round;
}
.who { display: none; color: var(--soft); font-size: 0.8125rem; }
.who strong { color: var(--text); font-weight: 600; }
main { display: block; max-width: 1360px; margin: 0 auto; padding: 24px 16px 64px; }
main > * + * { margin-top: 16px; }
@media (min-width: 600px) { main { padding: 32px 24px 64px; } }
@media (min-width: 960px) {
	body:not(.bare) { display: grid; grid-template-columns: 216px minmax(0, 1fr); min-height: 100vh; }
	.side {
		position: sticky; top: 0; height: 100vh; grid-template-columns: 1fr; grid-template-rows: auto auto 1fr auto;
		align-content: start;
		gap: 16px; padding: 24px 16px; border-bottom: 0; border-right: 1px solid var(--edge); overflow-y: auto;
	}
	.brand { padding: 0 8px; }
	.live { padding: 0 12px; }
	.side nav { grid-column: auto; margin: 8px 0 0; align-self: start; }
	.side nav ul { display: grid; gap: 2px; padding: 0; overflow: visible; }
	.side nav a { padding: 8px 12px; gap: 12px; border: 0; border-radius: 8px; }
	.side nav a:hover { background: var(--sunk); }
	.side nav a[aria-current] { background: var(--accent-soft); }
	.side nav svg { display: block; }
	.who { display: block; padding: 16px 12px 0; border-top: 1px solid var(--edge); }
	main { width: 100%; padding: 32px 32px 64px; }
}

/* Parts of pages */
.title p { color: var(--soft); margin-top: 4px; max-width: 72ch; }
.card {
	background: var(--card); border: 1px solid var(--edge); border-radius: 12px; box-shadow: var(--shadow);
	padding: 16px 20px 20px; min-width: 0;
}
.head {
	display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: 0 16px;
	margin-bottom: 12px;
}
.note { color: var(--soft); font-size: 0.8125rem; }
.empty { color: var(--soft); padding: 8px 0; }
.columns { display: grid; gap: 16px; align-items: start; }
@media (min-width: 1100px) {
	.columns { grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); align-items: stretch; }
	.columns.even { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
.notice { padding: 12px 16px; border-radius: 8px; background: var(--sunk); border-left: 3px solid var(--field); }
.notice.good { background: var(--good-soft); border-color: var(--good); }
.notice.warn { background: var(--warn-soft); border-color: var(--warn); }
.notice.bad { background: var(--bad-soft); border-color: var(--bad); }
.notice.calm { background: var(--accent-soft); border-color: var(--accent); }
.card .notice { margin-bottom: 12px; }
.pill {
	display: inline-flex; align-items: center; gap: 6px; padding: 0 8px; border-radius: 999px;
	background: var(--sunk); color: var(--soft);
	font-size: 0.8125rem; line-height: 1.375rem; font-weight: 500; white-space: nowrap;
}
.pill::before { content: ""; width: 6px; height: 6px; border-radius: 50%; background: currentcolor; }
.pill.good { background: var(--good-soft); color: var(--good); }
.pill.warn { background: var(--warn-soft); color: var(--warn); }
.pill.bad { background: var(--bad-soft); color: var(--bad); }
.pill.calm { background: var(--accent-soft); color: var(--accent); }
.chips .pill::before { content: none; }
.chips { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 16px; }

/* Health */
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(124px, 1fr)); gap: 12px; }
@media (max-width: 479px) { .tiles .tile:last-child:nth-child(odd) { grid-column: 1 / -1; } }
.tile {
	position: relative; display: flex; flex-direction: column; min-width: 0; min-height: 128px;
	padding: 12px 14px 44px; background: var(--card); border: 1px solid var(--edge); border-radius: 12px;
	box-shadow: var(--shadow); overflow: hidden;
}
.tile h2 { font-size: 0.8125rem; font-weight: 500; color: var(--soft); line-height: 1.25rem; }
.tile .value {
	font-size: 1.625rem; line-height: 2.25rem; font-weight: 600; letter-spacing: -0.02em; white-space: nowrap;
}
.tile .below {
	font-size: 0.8125rem; line-height: 1.25rem; color: var(--soft); display: -webkit-box;
	-webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden;
}
.tile.good .below::before, .tile.warn .below::before, .tile.bad .below::before {
	content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 6px; border-radius: 50%;
	background: var(--good);
}
.tile.warn .below::before { background: var(--warn); }
.tile.bad .below::before { background: var(--bad); }
.tile.bad { border-color: var(--bad); }
.tile.bad .value { color: var(--bad); }
.tile .line { position: absolute; left: 0; right: 0; bottom: 0; width: 100%; height: 36px; }
.line polyline {
	fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke;
	stroke-linejoin: round;
}
.line polygon { fill: var(--accent); opacity: 0.1; }
.line.bad polyline { stroke: var(--bad); }
.line.bad polygon { fill: var(--bad); }

/* Tables: cards on a narrow screen */
.rows { width: 100%; border-collapse: collapse; }
.rows th {
	padding: 0 12px 8px; text-align: left; font-size: 0.8125rem; font-weight: 500; color: var(--soft);
	white-space: nowrap; border-bottom: 1px solid var(--edge);
}
.rows td { padding: 9px 12px; border-bottom: 1px solid var(--edge); vertical-align: baseline; }
.rows tbody tr:last-child td { border-bottom: 0; }
.rows tbody tr:hover td { background: var(--sunk); }
.rows .main { font-weight: 500; white-space: nowrap; }
.rows .number { text-align: right; white-space: nowrap; }
.rows .from { display: inline-block; }
.rows .whole { white-space: nowrap; }
@media (min-width: 760px) { .rows.pairs { max-width: 640px; } }
@media (min-width: 760px) {
	.rows th:first-child, .rows td:first-child { padding-left: 4px; }
	.rows th:last-child, .rows td:last-child { padding-right: 4px; }
}
@media (max-width: 759px) {
	.rows, .rows tbody, .rows tr, .rows td { display: block; }
	.rows thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
	.rows tr { padding: 12px 0; border-bottom: 1px solid var(--edge); }
	.rows tbody tr:first-child { padding-top: 0; }
	.rows tbody tr:last-child { border-bottom: 0; padding-bottom: 0; }
	.rows td { display: grid; grid-template-columns: 96px minmax(0, 1fr); gap: 12px; padding: 3px 0; border: 0; }
	.rows td::before { content: attr(data-title); color: var(--soft); }
	.rows td.main, .rows td.number { text-align: left; white-space: normal; }
	.rows td.main { display: block; padding-bottom: 6px; }
	.rows td.main::before { content: none; }
	.rows tbody tr:hover td { background: none; }
}

/* Lists */
.bars { display: grid; gap: 12px; }
.bars li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 2px 16px; }
.bars .count { color: var(--soft); }
.bar { grid-column: 1 / -1; width: 100%; height: 4px; border-radius: 2px; fill: var(--accent); }
.bar .all { fill: var(--sunk); }
.feed li {
	display: grid; grid-template-columns: 88px 128px minmax(0, 1fr) auto; gap: 12px; align-items: baseline;
	padding: 7px 0; border-bottom: 1px solid var(--edge);
}
.feed li:last-child { border-bottom: 0; padding-bottom: 0; }
.feed time { color: var(--soft); font-size: 0.8125rem; }
.feed .pill { justify-self: start; }
.feed .what a { margin-right: 8px; }
@media (max-width: 759px) {
	.feed li { grid-template-columns: auto 1fr; gap: 4px 12px; }
	.feed .what { grid-column: 1 / -1; }
	.feed .from { display: none; }
}
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 16px 24px; }
@media (min-width: 760px) { .facts { grid-template-columns: repeat(auto-fill, minmax(188px, 1fr)); } }
.facts dt { color: var(--soft); font-size: 0.8125rem; }
.texts { display: grid; gap: 6px; font-family: var(--mono); font-size: 0.8125rem; }
pre {
	overflow: auto; max-height: 320px; padding: 12px 16px; background: var(--sunk); border-radius: 8px;
	font-size: 0.8125rem; line-height: 1.5; white-space: pre-wrap;
}
.findings { display: grid; gap: 12px; margin-top: 12px; }
.findings li { padding: 12px 16px; border-radius: 8px; background: var(--sunk); border-left: 3px solid var(--bad); }
.findings code { color: var(--soft); }

/* Forms */
label { display: block; margin-bottom: 4px; font-size: 0.8125rem; font-weight: 500; }
input, select {
	width: 100%; min-height: 36px; padding: 6px 12px; font: inherit; color: inherit; background: var(--card);
	border: 1px solid var(--field); border-radius: 8px;
}
button, .button {
	display: inline-flex; align-items: center; justify-content: center; min-height: 36px; padding: 6px 14px;
	font: inherit; font-weight: 500; line-height: 1.375rem;
	color: var(--text); background: var(--card); border: 1px solid var(--field); border-radius: 8px;
	cursor: pointer; text-decoration: none;
}
main p a.button { text-decoration: none; }
button:hover, .button:hover { background: var(--sunk); text-decoration: none; }
button.primary { background: var(--accent-fill); border-color: var(--accent-fill); color: var(--on-fill); }
button.danger { background: var(--bad-fill); border-color: var(--bad-fill); color: var(--on-fill); }
button.primary:hover, button.danger:hover { filter: brightness(1.08); }
.button.danger { color: var(--bad); border-color: var(--bad); }
.filter { display: flex; flex-wrap: wrap; align-items: flex-end; gap: 12px; }
.filter div:first-child { flex: 1 1 220px; max-width: 420px; }
.filter div { min-width: 120px; }
.actions { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 12px; }
.actions:empty { display: none; }
.action summary { list-style: none; }
.action summary::-webkit-details-marker { display: none; }
.action[open] {
	flex: 1 1 100%; max-width: 480px; padding: 16px 20px 20px; background: var(--card);
	border: 1px solid var(--edge); border-radius: 12px;
}
.action[open] summary {
	margin-bottom: 12px; border-color: transparent; padding-left: 0; padding-right: 0; background: none;
	min-height: 0; font-weight: 600;
}
.action form { display: grid; gap: 4px; }
.action p { color: var(--soft); margin-bottom: 8px; }
.action input { margin-bottom: 12px; }
.action button { justify-self: start; }
.pager { display: flex; flex-wrap: wrap; align-items: center; gap: 12px; margin-top: 16px; color: var(--soft); }
.pager span { margin-right: auto; }

/* Whoever is not let in */
.bare main { max-width: 420px; padding-top: 18vh; text-align: center; }
.bare p { color: var(--soft); }

@media (prefers-reduced-motion: no-preference) {
	a, button, .button { transition: background-color 120ms, color 120ms; }
}
@media (forced-colors: active) {
	.pill, .tile, .card { border: 1px solid; }
}
@media print {
	.side, .actions, .filter, .pager a { display: none; }
}
`;
