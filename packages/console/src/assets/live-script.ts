/**
 * The script of all pages; they work without it. When the console says that something changed, the page is read again,
 * and the regions that differ take the place of the old ones. It makes no markup of text: the browser's own parser
 * reads the page, so the policy can forbid everything else. It is text, because no build of a user may change it.
 */
export const liveScript = `'use strict';
(() => {
	const status = document.getElementById('live');
	const address = document.body.dataset.events;
	if (!status || !address) return;
	let events;
	let isGone = false;
	let reading = false;
	let again = false;

	const say = (state, text) => {
		if (status.dataset.state === state) return;
		status.dataset.state = state;
		status.textContent = text;
	};

	/** What has the focus in a region, so that its successor gets it. */
	const focusIn = (region) => {
		const focused = document.activeElement;
		if (!focused || focused === region || !region.contains(focused)) return undefined;
		const href = focused.getAttribute('href');
		return href === null ? undefined : (next) => {
			const same = [...next.querySelectorAll('a')].find((link) => link.getAttribute('href') === href);
			if (same) same.focus({ preventScroll: true });
		};
	};

	const isSelecting = (region) => {
		const selection = getSelection();
		return selection !== null && !selection.isCollapsed && selection.containsNode(region, true);
	};

	const take = (page) => {
		for (const region of document.querySelectorAll('[data-region]')) {
			const next = page.getElementById(region.id);
			if (!next || next.outerHTML === region.outerHTML || isSelecting(region)) continue;
			const refocus = focusIn(region);
			const adopted = document.adoptNode(next);
			region.replaceWith(adopted);
			if (refocus) refocus(adopted);
		}
	};

	const read = () => {
		if (document.hidden) return;
		if (reading) {
			again = true;
			return;
		}
		reading = true;
		const request = new XMLHttpRequest();
		request.responseType = 'document';
		request.onloadend = () => {
			reading = false;
			if (request.status === 200 && 'problem' in document.body.dataset) location.reload();
			else if (request.status === 200 && request.response) take(request.response);
			else if (request.status === 401) location.reload();
			else if (request.status === 404) leave();
			else if (request.status === 503) say('away', 'Store away');
			if (request.status === 200) say('live', 'Live');
			if (again) {
				again = false;
				read();
			}
		};
		request.open('GET', location.href);
		request.send();
	};

	const listen = () => {
		if (events) return;
		events = new EventSource(address);
		events.onopen = () => {
			say('live', 'Live');
			read();
		};
		events.addEventListener('changed', read);
		events.onerror = () => {
			say('away', 'Reconnecting');
			// Refused for good: the page is read now and then instead.
			if (events.readyState === EventSource.CLOSED) events = undefined;
		};
	};

	const rest = () => {
		if (events) events.close();
		events = undefined;
	};

	/** What the page shows is not there any more: to ask again and again would help nobody. */
	const leave = () => {
		isGone = true;
		rest();
		say('still', 'No longer there');
	};

	const look = () => {
		if (isGone) return;
		if (document.hidden) rest();
		else listen();
	};

	// A browser has few connections to a host: a page that nobody sees must not hold one.
	document.addEventListener('visibilitychange', look);
	addEventListener('pagehide', rest);
	addEventListener('pageshow', look);
	setInterval(() => {
		if (events || isGone) return;
		read();
		look();
	}, 10000);
	look();
})();
`;
