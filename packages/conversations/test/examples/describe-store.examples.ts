//#region register
import { describe, it } from 'node:test';
import { InMemoryConversationStore } from '@holdfast/conversations';
import { describeConversationStore } from '@holdfast/conversations/testing';

describeConversationStore(
	{
		abilities: [],
		createStores: () => ({ stores: [new InMemoryConversationStore()], close() {} }),
	},
	{ describe, it },
);
//#endregion register
