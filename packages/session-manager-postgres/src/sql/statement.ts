/**
 * A statement with a name, under which each connection prepares it once. Without one it is planned each time, for the
 * values that it has then.
 */
export class Statement {
	readonly name: string | undefined;
	readonly text: string;

	constructor(name: string | undefined, text: string) {
		this.name = name;
		this.text = text;
	}
}
