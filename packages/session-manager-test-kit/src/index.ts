export { ABILITIES, type Ability } from './ability.js';
export type { CaseContext, ContractCase, Nodes } from './contract-case.js';
export { contractCases } from './contract-cases.js';
export { type CaseResult, runCase, runContract } from './contract-run.js';
export type { Backend, ManagerFactory, Peer, PeerGroup, PeerLimits, StreamLimits } from './manager-factory.js';
