import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { describeInfoOn } from './contract-on.ts';

describeInfoOn(() => PostgresServer.create());
