/** All visible ASCII characters, together and each alone. */
export const visibleCharacters: readonly string[] = Object.freeze(
	Array.from({ length: 0x7f - 0x21 }, (_, index) => String.fromCharCode(0x21 + index)).flatMap((character, _, all) =>
		character === '!' ? [all.join(''), character] : [character],
	),
);

/** Texts that a store, or anything before it, may misinterpret or confuse with each other. */
export const lookAlikes: readonly string[] = Object.freeze([
	...[
		's',
		'S',
		's*',
		'*',
		'?',
		'[s]',
		's%',
		'%s',
		'%73',
		'%',
		'_',
		"it's",
		`'; drop table sessions; --`,
		'"; drop',
		'`',
	],
	...[
		'\\',
		'\\\\',
		'/',
		'//',
		':',
		'::',
		'..',
		'.',
		'../s',
		'./s',
		'$',
		'$1',
		'$(s)',
		'#',
		'&',
		'|',
		'~',
		'^',
		'>',
		'<s>',
	],
	...['{', '}', '{}', '}{', '{s}', 's}', '{s', '}s', 's:log', 's}:at', 's}:at:', 's:', 's::', '{s}:info', 'n:*'],
	...['x'.repeat(1024), `${'x'.repeat(1023)}y`, '__proto__', 'constructor', 'toString', 'broadcast', 'sessions'],
	...['undefined', 'null', 'NaN', '0', '00', '-1', '1e3', 's.', 's.s', 's-1', 's_1', 's,t', 's;t', 's=t', 's+t', 's>'],
]);
