export { type DiagnoseOptions, type Diagnosis, diagnose } from './doctor/diagnose.js';
export type { Finding, FindingCode } from './doctor/finding.js';
export type { Patience } from './doctor/patience.js';
export type { Settings } from './settings.js';
