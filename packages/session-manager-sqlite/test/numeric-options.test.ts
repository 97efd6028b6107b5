import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteSessionManager } from '@holdfast/session-manager-sqlite';
import { afterAll } from 'vitest';
import { describeNumericOptions, NUMBERS } from '../../../test/support/numeric-options.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
afterAll(() => rmSync(folder, { recursive: true }));

describeNumericOptions(NUMBERS, (options) => sqliteSessionManager(join(folder, 'a.db'), options));
