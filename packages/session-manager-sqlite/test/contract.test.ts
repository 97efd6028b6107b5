import { describeContract } from '@holdfast/session-manager-test-kit/vitest';
import { afterAll } from 'vitest';
import { PeerInfoSessionManager, PeerStreamSessionManager, type Place } from './support/peer-managers.ts';
import { PeerProcess } from './support/peer-process.ts';
import { SessionFile } from './support/session-file.ts';

/** Processes that have nothing to do: a new one takes longer to start than most cases run. */
const idle: PeerProcess[] = [];
afterAll(() => Promise.all(idle.map((process) => process.kill())));
let groups = 0;

async function idleProcess(): Promise<PeerProcess> {
	return idle.pop() ?? (await PeerProcess.start());
}

describeContract({
	abilities: [
		...([
			'streams',
			'info',
			'keepsEnded',
			'capacity',
			'makesRoom',
			'registry',
			'kinds',
			'history',
			'limits',
			'oneOrder',
		] as const),
		...(['crossNode', 'partition', 'outages', 'durable', 'dataLoss'] as const),
	],
	async createPeers(count, limits) {
		const file = new SessionFile();
		const paths = Array.from({ length: count }, (_, index) => file.wayOf(index));
		const places: Place[] = await Promise.all(
			paths.map(async () => ({ name: `${++groups}`, process: await idleProcess() })),
		);
		const open = () =>
			Promise.all(places.map(({ name, process }, index) => process.ask('open', name, paths[index], limits)));
		await open();
		const peers = places.map((place) => ({
			streams: new PeerStreamSessionManager(place),
			info: new PeerInfoSessionManager(place),
		}));
		let closing: Promise<void> | undefined;
		const close = async () => {
			for (const { name, process } of places) {
				await process.ask('close', name).catch(() => {});
				if (!process.isDead) idle.push(process);
			}
			file[Symbol.dispose]();
		};
		return {
			peers,
			backend: {
				cutOff: (index) => file.cut(index),
				rejoin: (index) => file.mend(index),
				fail: () => file.takeAway(),
				heal: () => file.putBack(),
				async restart() {
					await Promise.all(places.map(({ process }) => process.kill()));
					for (const place of places) place.process = await idleProcess();
					await open();
				},
				loseData: () => file.replace(),
			},
			close() {
				closing ??= close();
				return closing;
			},
		};
	},
});
