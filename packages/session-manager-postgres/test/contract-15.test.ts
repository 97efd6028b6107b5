import { describe } from 'vitest';
import { PostgresServer } from '../../../test/support/postgres/postgres-server.ts';
import { describeContractOn } from './contract-on.ts';

describe('on the PostgreSQL of this machine', () => describeContractOn(() => PostgresServer.create()));
