import { useCluster } from './support/cluster.ts';
import { describeOfficialSseClients } from './support/official-sse-clients.ts';

describeOfficialSseClients(useCluster({ flags: ['--sdk', 'v2'] }));
