/** A statement with a name, under which each connection prepares it once. */
export class Statement {
	readonly name: string;
	readonly text: string;

	constructor(name: string, text: string) {
		this.name = name;
		this.text = text;
	}
}
