// The same endpoint in an application whose body parser comes first: `handle` takes what it left in `request.body`.
import express from 'express';
import { transport } from './server.js';

const app = express();
app.use(express.json({ limit: '4mb' }));
app.all('/mcp', transport.handle);

export const server = app.listen(0, '127.0.0.1');
