// The end of `npm start`: runs the everything-server until it is told to stop, and says how to reach it.
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { exitCode, startGroup } from './child.mjs';

/** Runs the server with `args`; resolves to its exit code, which is 0 when a signal stopped it cleanly. */
export async function serve(root, args, env, defaultPort = 3000) {
	const main = `${root}apps/everything-server/dist/main.js`;
	const options = { env, stdio: ['ignore', 'pipe', 'inherit'] };
	const port = await portArguments(args, defaultPort);
	const child = startGroup(process.execPath, [main, ...port, ...args], options);
	let introduced = false;
	createInterface({ input: child.stdout }).on('line', (line) => {
		console.log(line);
		// Before it may be where the metrics are.
		const url = line.match(/https?:\/\/\S+/g)?.at(-1);
		if (introduced || !url) return;
		introduced = true;
		if (port[1] === '0') console.log(portTaken(defaultPort, new URL(url).port));
		console.log(introduction(url));
	});
	const code = await exitCode(child);
	if (introduced && code === 0) console.log('The server has stopped. Goodbye.');
	return code;
}

function portTaken(wanted, taken) {
	return `Port ${wanted} is in use, so this is port ${taken} (choose one with: npm start -- --port 4000).`;
}

async function portArguments(args, defaultPort) {
	if (args.some((argument) => argument === '--port' || argument.startsWith('--port='))) return [];
	if (await isFree(defaultPort)) return ['--port', `${defaultPort}`];
	return ['--port', '0'];
}

function isFree(port) {
	return new Promise((resolve) => {
		const probe = createServer();
		probe.once('error', () => resolve(false));
		probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
	});
}

function introduction(url) {
	return `
Connect a client:
  configuration   { "mcpServers": { "holdfast": { "type": "http", "url": "${url}" } } }
  in a browser    npx @modelcontextprotocol/inspector   (transport: Streamable HTTP, URL: ${url})
  one request     npx @modelcontextprotocol/inspector --cli ${url} --transport http --method tools/list

Stop it: Ctrl-C`;
}
