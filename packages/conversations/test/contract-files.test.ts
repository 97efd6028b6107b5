import { describeConversationStore } from '@holdfast/conversations/testing';
import { describe, it } from 'vitest';
import { files } from './support/stores.ts';

describeConversationStore(files, { describe, it });
