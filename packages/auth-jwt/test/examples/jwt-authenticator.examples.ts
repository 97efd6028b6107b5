import { jwtAuthenticator } from '@holdfast/auth-jwt';

export function keySet(): ReturnType<typeof jwtAuthenticator> {
	//#region keySet
	const authenticate = jwtAuthenticator({
		issuer: 'https://login.example.com/',
		audience: 'https://mcp.example.com/mcp',
		jwksUrl: 'https://login.example.com/.well-known/jwks.json',
		requiredScopes: ['mcp'],
	});
	//#endregion keySet
	return authenticate;
}
