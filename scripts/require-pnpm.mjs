// The `prepack` of every package: only pnpm replaces `workspace:` and `catalog:` by versions and adds the LICENSE.
if (!process.env.npm_config_user_agent?.startsWith('pnpm/')) {
	console.error('Use pnpm to pack or publish this package: other tools leave out its LICENSE and the real versions.');
	process.exitCode = 1;
}
