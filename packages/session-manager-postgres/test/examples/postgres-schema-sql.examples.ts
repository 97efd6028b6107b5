import { postgresSchemaSql } from '@holdfast/session-manager-postgres';

export function print(): void {
	//#region print
	console.log(postgresSchemaSql('holdfast'));
	//#endregion print
}
