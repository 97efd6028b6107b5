import transport from './transport.ts';

declare const Deno: { serve(options: object, fetch: (request: Request) => Promise<Response>): void };

const onListen = ({ port }: { readonly port: number }) => console.log(port);
Deno.serve({ hostname: '127.0.0.1', port: 0, onListen }, transport.fetch);
