// The process of one foreign client: does what its parent asks, one message each.
const [alias, driver, way] = process.argv.slice(2);
const load = (path = '') => import(`${alias}${path}`);
const { connect } = await import(`./drivers/${driver}.mjs`);

let client;
const commands = {
	async connect(url) {
		client = await connect({ alias, load, url, ...JSON.parse(way) });
		return { hears: client.changes !== undefined };
	},
	list: () => client.list(),
	call: (name, args) => client.call(name, args),
	changes: () => client.changes(),
	close: () => client.close(),
};

process.on('message', async ({ id, command, args }) => {
	try {
		process.send({ id, value: await commands[command](...args) });
	} catch (error) {
		process.send({ id, error: String(error?.message ?? error) });
	}
});
process.on('disconnect', () => process.exit());
