import { expect } from 'vitest';

/** What every body is: JSON-RPC, an error of it wherever the status says so, or a stream with a response in it. */
export function checkBody(status: number, contentType: string | undefined, body: string): void {
	if (body === '') return;
	if (contentType === 'text/event-stream') {
		expect(status).toBe(200);
		expect(body).toMatch(/^data: \{.*"(result|error)":/m);
		return;
	}
	expect(contentType).toBe('application/json');
	const answers: unknown = JSON.parse(body);
	for (const answer of Array.isArray(answers) ? answers : [answers]) {
		expect(answer).toMatchObject({ jsonrpc: '2.0' });
		const outcome = 'error' in answer ? answer.error : answer.result;
		expect(outcome).toBeTypeOf('object');
		if ('error' in answer) {
			expect(answer.error.code).toSatisfy(Number.isSafeInteger);
			expect(answer.error.message).toBeTypeOf('string');
		} else expect(status).toBe(200);
	}
}
