import { activity } from './pages/activity.js';
import { doctor, examine } from './pages/doctor.js';
import { nodes } from './pages/nodes.js';
import { overview } from './pages/overview.js';
import { erasePerson, exportPerson, onePerson, people } from './pages/people.js';
import { endSession, session, suspendSession } from './pages/session.js';
import { sessions } from './pages/sessions.js';
import type { ConsoleAction, Handler } from './pages/view.js';

/** What is served at a path below the console's own. */
export interface Route {
	readonly method: 'GET' | 'POST';
	readonly path: RegExp;
	readonly handler: Handler;
	/** What must be allowed for it. */
	readonly action?: ConsoleAction;
}

const hash = '([0-9a-f]{12})';

export const routes: readonly Route[] = [
	{ method: 'GET', path: /^$/, handler: overview },
	{ method: 'GET', path: /^sessions$/, handler: sessions },
	{ method: 'GET', path: new RegExp(`^sessions/${hash}$`), handler: session },
	{ method: 'POST', path: new RegExp(`^sessions/${hash}/end$`), handler: endSession, action: 'end' },
	{ method: 'POST', path: new RegExp(`^sessions/${hash}/suspend$`), handler: suspendSession, action: 'suspend' },
	{ method: 'GET', path: /^people$/, handler: people },
	{ method: 'GET', path: /^person$/, handler: onePerson },
	{ method: 'POST', path: /^person\/export$/, handler: exportPerson, action: 'export' },
	{ method: 'POST', path: /^person\/erase$/, handler: erasePerson, action: 'erase' },
	{ method: 'GET', path: /^nodes$/, handler: nodes },
	{ method: 'GET', path: /^activity$/, handler: activity },
	{ method: 'GET', path: /^doctor$/, handler: doctor },
	{ method: 'POST', path: /^doctor\/examine$/, handler: examine },
];
