import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { describeStreamsOn } from './contract-on.ts';

describeStreamsOn(() => PostgresServer.create());
