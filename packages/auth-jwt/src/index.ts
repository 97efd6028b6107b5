export { type JwtOptions, jwtAuthenticator } from './jwt-authenticator.js';
