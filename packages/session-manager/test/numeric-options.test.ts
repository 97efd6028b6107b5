import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { describeNumericOptions, NUMBERS } from '../../../test/support/numeric-options.ts';

describeNumericOptions(
	[...NUMBERS, 'maxBytes', 'sweepIntervalMs'],
	(options) => ({
		streams: new InMemoryStreamSessionManager(options),
		info: new InMemoryInfoSessionManager(options),
	}),
	1,
);
