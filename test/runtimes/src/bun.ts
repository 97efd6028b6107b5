import transport from './transport.ts';

declare const Bun: { serve(options: object): { readonly port: number } };

console.log(Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: transport.fetch }).port);
