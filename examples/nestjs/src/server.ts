import 'reflect-metadata';
import { Body, Controller, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { McpModule } from './mcp.module.js';

@Controller('echo')
class EchoController {
	@Post()
	echo(@Body() body: unknown): unknown {
		return body;
	}
}

@Module({ imports: [McpModule], controllers: [EchoController] })
class AppModule {}

export const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
// On SIGTERM Nest runs its hooks, and McpModule moves the clients to other nodes.
app.enableShutdownHooks();
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
