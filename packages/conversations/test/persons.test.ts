import { InMemoryConversationStore } from '@holdfast/conversations';
import { describe } from 'vitest';
import { testPersons } from './support/person-tests.ts';

describe('in memory', () => {
	testPersons(() => {
		const store = new InMemoryConversationStore();
		return { store: () => store };
	});
});
