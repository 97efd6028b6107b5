import { PNG_PIXEL } from './sample-media.js';

type Contents = { uri: string; mimeType: string; text: string } | { uri: string; mimeType: string; blob: string };

/** A resource, declared once for both SDKs. */
export interface FixedResource {
	readonly name: string;
	readonly uri: string;
	readonly title: string;
	readonly description: string;
	readonly mimeType: string;
	read(): Contents;
}

/** A resource template, declared once for both SDKs. */
export interface TemplatedResource {
	readonly name: string;
	readonly uriTemplate: string;
	readonly title: string;
	readonly description: string;
	readonly mimeType: string;
	read(uri: string, variables: Readonly<Record<string, string | string[]>>): Contents;
}

/** The resources of the conformance fixture. */
export const resources: readonly FixedResource[] = [
	{
		name: 'static-text',
		uri: 'test://static-text',
		title: 'Static Text Resource',
		description: 'A static text resource for testing',
		mimeType: 'text/plain',
		read() {
			return { uri: this.uri, mimeType: this.mimeType, text: 'This is the content of the static text resource.' };
		},
	},
	{
		name: 'static-binary',
		uri: 'test://static-binary',
		title: 'Static Binary Resource',
		description: 'A static binary resource (image) for testing',
		mimeType: 'image/png',
		read() {
			return { uri: this.uri, mimeType: this.mimeType, blob: PNG_PIXEL };
		},
	},
	{
		name: 'watched-resource',
		uri: 'test://watched-resource',
		title: 'Watched Resource',
		description: 'A resource to subscribe to; the tool notify_updated says that it changed',
		mimeType: 'text/plain',
		read() {
			return { uri: this.uri, mimeType: this.mimeType, text: 'Watched resource content' };
		},
	},
];

/** The resource templates of the conformance fixture. */
export const resourceTemplates: readonly TemplatedResource[] = [
	{
		name: 'template',
		uriTemplate: 'test://template/{id}/data',
		title: 'Resource Template',
		description: 'A resource template with parameter substitution',
		mimeType: 'application/json',
		read(uri, { id }) {
			return {
				uri,
				mimeType: this.mimeType,
				text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
			};
		},
	},
];
