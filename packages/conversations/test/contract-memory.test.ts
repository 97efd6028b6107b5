import { describeConversationStore } from '@holdfast/conversations/testing';
import { describe, it } from 'vitest';
import { inMemory } from './support/stores.ts';

describeConversationStore(inMemory(), { describe, it });
