import { v2McpServer } from '../../../../test/support/servers.ts';
import { describeLeaks } from './session-leak-cases.ts';

describeLeaks(v2McpServer);
