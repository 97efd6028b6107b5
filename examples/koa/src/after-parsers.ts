// The same endpoint in an application whose body parser comes first: what it read is handed over.
import { bodyParser } from '@koa/bodyparser';
import Koa from 'koa';
import { transport } from './server.js';

const app = new Koa();
app.use(bodyParser());
app.use((context, next) => {
	if (context.path !== '/mcp') return next();
	context.respond = false;
	transport.handle(Object.assign(context.req, { body: context.request.body }), context.res);
});

export const server = app.listen(0, '127.0.0.1');
