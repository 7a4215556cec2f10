/** The Kubernetes manifests: valid by its API, and consistent with each other, the image and the settings. */
import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { validate as validateStatefulSet } from "kubernetes-models/_schemas/IoK8sApiAppsV1StatefulSet";
import { validate as validateJob } from "kubernetes-models/_schemas/IoK8sApiBatchV1Job";
import { validate as validateConfigMap } from "kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap";
import { validate as validateService } from "kubernetes-models/_schemas/IoK8sApiCoreV1Service";
import { validate as validateBudget } from "kubernetes-models/_schemas/IoK8sApiPolicyV1PodDisruptionBudget";
import { z } from "zod";
import { parseConfig } from "../../src/config/config.ts";
import { variableNames } from "../../src/config/variables.ts";
import { healthRoutes } from "../../src/http/health/routes.ts";
import { misspell, readImageVariables, readInstructions, readText, readYaml, root } from "./read-files.ts";

const validators: Readonly<Record<string, (document: unknown) => boolean>> = {
  StatefulSet: validateStatefulSet,
  Job: validateJob,
  ConfigMap: validateConfigMap,
  Service: validateService,
  PodDisruptionBudget: validateBudget,
};

const Labels = z.record(z.string(), z.string());
const Probe = z.object({
  httpGet: z.object({ path: z.string(), port: z.string() }),
  periodSeconds: z.number(),
  failureThreshold: z.number(),
});
const Container = z.object({
  image: z.string(),
  args: z.array(z.string()).optional(),
  envFrom: z.array(z.record(z.string(), z.object({ name: z.string() }))),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })).default([]),
  lifecycle: z.object({ preStop: z.object({ exec: z.object({ command: z.array(z.string()) }) }) }).optional(),
  securityContext: z.object({ readOnlyRootFilesystem: z.boolean(), allowPrivilegeEscalation: z.boolean() }),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })).default([]),
});
const Pod = z.object({
  metadata: z.object({ labels: Labels }),
  spec: z.object({
    terminationGracePeriodSeconds: z.number().optional(),
    securityContext: z.object({ runAsNonRoot: z.boolean(), runAsUser: z.number(), runAsGroup: z.number() }),
    containers: z.array(Container).length(1),
    volumes: z.array(z.object({ name: z.string() })).default([]),
  }),
});
const StatefulSet = z.object({
  spec: z.object({
    serviceName: z.string(),
    selector: z.object({ matchLabels: Labels }),
    template: Pod,
    volumeClaimTemplates: z.array(z.object({ metadata: z.object({ name: z.string() }) })),
  }),
});
const Service = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    clusterIP: z.string().optional(),
    selector: Labels,
    ports: z.array(z.object({ name: z.string(), port: z.number(), targetPort: z.string() })),
  }),
});
const Budget = z.object({ spec: z.object({ selector: z.object({ matchLabels: Labels }) }) });
const ConfigMap = z.object({ metadata: z.object({ name: z.string() }), data: Labels });
const Document = z.object({ kind: z.string() });

const documents = globSync("deploy/kubernetes/**/*.yaml", { cwd: root }).flatMap((file) => readYaml(file));

/** Returns the manifests of a kind. */
const find = <Schema extends z.ZodType>(kind: string, schema: Schema): readonly z.output<Schema>[] =>
  documents
    .filter((document) => Document.parse(document).kind === kind)
    .map((document) => schema.parse(document));

const [servers] = find("StatefulSet", StatefulSet);
const [job] = find("Job", z.object({ spec: z.object({ template: Pod }) }));
const [map] = find("ConfigMap", ConfigMap);
const services = find("Service", Service);
assert.ok(servers !== undefined && job !== undefined && map !== undefined);
const pod = servers.spec.template;
const [server] = pod.spec.containers;
assert.ok(server !== undefined);

/** Returns `value`, and records in `read` the place of each field of it that is read. */
function trackReads(value: unknown, place: string, read: Set<string>): unknown {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get(target, name) {
      read.add(`${place}/${String(name)}`);
      return trackReads(Reflect.get(target, name), `${place}/${String(name)}`, read);
    },
  });
}

/** Returns the places of all fields of `value`. */
function listPlaces(value: unknown, place: string): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => [
    `${place}/${name}`,
    ...listPlaces(field, `${place}/${name}`),
  ]);
}

/**
 * Returns the faults of a manifest. The schemas allow other fields, which the API refuses: those that no
 * schema reads.
 */
function findFaults(document: unknown): readonly string[] {
  const { kind } = Document.parse(document);
  const validate = validators[kind];
  if (validate === undefined) return [`${kind} has no schema here`];
  const read = new Set<string>();
  const isValid = validate(trackReads(document, kind, read));
  const unknown = listPlaces(document, kind).filter((place) => !read.has(place));
  return [...(isValid ? [] : [JSON.stringify(Reflect.get(validate, "errors"))]), ...unknown];
}

/** Returns the names of the settings that docs/containers.md puts into the Secret, with values for them. */
function readSecret(): Readonly<Record<string, string>> {
  const [command = ""] =
    /kubectl create secret generic foreword(?:.*\\\n)*.*/.exec(readText("docs/containers.md")) ?? [];
  const values: Readonly<Record<string, string>> = {
    DATABASE_URL: "postgres://foreword:x@postgres:5432/foreword",
    API_KEYS: `web:${"k".repeat(24)}`,
    OPENAI_API_KEY: "sk-x",
  };
  return Object.fromEntries(
    Array.from(command.matchAll(/--from-literal=(\w+)=/g), ([, name = ""]) => [name, values[name] ?? ""]),
  );
}

const config = parseConfig({ ...readImageVariables(), ...map.data, ...readSecret() });

describe("the Kubernetes manifests", () => {
  test("are valid by the Kubernetes API, and have no field that it does not know", () => {
    assert.equal(documents.length, 6);
    for (const document of documents) assert.deepEqual(findFaults(document), []);
  });

  test("are refused with a misspelt or a missing field, or a value of another type", () => {
    const [set] = documents.filter((document) => Document.parse(document).kind === "StatefulSet");
    for (const name of ["serviceName", "readinessProbe", "matchLabels", "readOnlyRootFilesystem", "image"])
      assert.ok(findFaults(misspell(set, name)).length > 0, name);
    const text = JSON.stringify(set).replace('"replicas":2', '"replicas":"2"');
    assert.match(findFaults(JSON.parse(text)).join("\n"), /replicas.*must be|"type":"integer"/);
  });

  test("set only variables that exist, and configure servers that authenticate and share a store", () => {
    const secret = readSecret();
    assert.ok(Object.keys(secret).length >= 3);
    for (const name of Object.keys({ ...map.data, ...secret })) assert.ok(variableNames.includes(name), name);
    assert.equal(config.app.store.type, "postgres");
    assert.equal(config.app.auth.type, "keys");
    for (const { envFrom } of [server, ...job.spec.template.spec.containers])
      assert.deepEqual(envFrom, [
        { configMapRef: { name: map.metadata.name } },
        { secretRef: { name: "foreword" } },
      ]);
  });

  test("send requests and probes to ports on which the server listens", () => {
    const ports = Object.fromEntries(server.ports.map(({ name, containerPort }) => [name, containerPort]));
    assert.deepEqual(ports, { http: config.port, metrics: config.metrics?.port });
    for (const { spec } of services)
      for (const { targetPort } of spec.ports) assert.ok(targetPort in ports, targetPort);
    assert.equal(
      services.find(({ spec }) => spec.clusterIP === "None")?.spec.ports[0]?.port,
      ports["metrics"],
    );
    assert.equal(config.metrics?.host, "0.0.0.0");
  });

  test("probe paths that the server has, and give it a minute to start", () => {
    const probes = z
      .object({ startupProbe: Probe, livenessProbe: Probe, readinessProbe: Probe })
      .parse(readServerContainer());
    const paths = Object.values(probes).map(({ httpGet }) => httpGet.path);
    const known = Object.values(healthRoutes.routes).map(({ path }) => path);
    for (const path of paths) assert.ok(known.includes(path), path);
    // A server without its database still answers: to restart it would not help.
    assert.deepEqual(paths, ["/healthz", "/healthz", "/readyz"]);
    for (const { httpGet } of Object.values(probes)) assert.equal(httpGet.port, "http");
    assert.ok(probes.startupProbe.periodSeconds * probes.startupProbe.failureThreshold >= 60);
  });

  test("wait until running replies are finished, and 5 s more", () => {
    const [program, seconds] = server.lifecycle?.preStop.exec.command ?? [];
    assert.equal(program, "sleep");
    const least = Number(seconds) + config.drainMs / 1000 + 5;
    assert.ok((pod.spec.terminationGracePeriodSeconds ?? 0) >= least, `${least} s`);
  });

  test("run as the image's user, who can write to the kept data and to /tmp only", () => {
    const [user] = readInstructions("USER");
    for (const { spec } of [pod, job.spec.template]) {
      const { runAsNonRoot, runAsUser, runAsGroup } = spec.securityContext;
      assert.deepEqual([runAsNonRoot, `${runAsUser}:${runAsGroup}`], [true, user]);
      for (const { securityContext } of spec.containers)
        assert.deepEqual(securityContext, { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false });
    }
    const mounts = Object.fromEntries(server.volumeMounts.map(({ name, mountPath }) => [mountPath, name]));
    assert.deepEqual(new Set(Object.keys(mounts)), new Set([readImageVariables()["DATA_DIR"], "/tmp"]));
    const claims = servers.spec.volumeClaimTemplates.map(({ metadata }) => metadata.name);
    assert.deepEqual(claims, [mounts[readImageVariables()["DATA_DIR"] ?? ""]]);
    assert.deepEqual(
      pod.spec.volumes.map(({ name }) => name),
      [mounts["/tmp"]],
    );
  });

  test("select the servers' pods, and not those of the migration", () => {
    const selectors = [
      servers.spec.selector.matchLabels,
      ...services.map(({ spec }) => spec.selector),
      ...find("PodDisruptionBudget", Budget).map(({ spec }) => spec.selector.matchLabels),
    ];
    assert.equal(selectors.length, 4);
    const isSelected = (labels: z.infer<typeof Labels>, selector: z.infer<typeof Labels>): boolean =>
      Object.entries(selector).every(([name, value]) => labels[name] === value);
    for (const selector of selectors) {
      assert.ok(isSelected(pod.metadata.labels, selector));
      assert.ok(!isSelected(job.spec.template.metadata.labels, selector));
    }
    const headless = services.filter(({ spec }) => spec.clusterIP === "None");
    assert.deepEqual(
      headless.map(({ metadata }) => metadata.name),
      [servers.spec.serviceName],
    );
  });

  test("migrate with the image that serves", () => {
    const [migrate] = job.spec.template.spec.containers;
    assert.deepEqual(migrate?.args, ["migrate"]);
    assert.equal(migrate.image, server.image);
    const { version } = z.object({ version: z.string() }).parse(JSON.parse(readText("package.json")));
    assert.equal(server.image.split(":").at(-1), version);
  });
});

describe("docs/containers.md", () => {
  test("names only files that exist", () => {
    const paths = Array.from(
      readText("docs/containers.md").matchAll(
        /(?<![\w/.])(?:deploy\/[\w./-]+|compose[\w.]*\.yaml|Dockerfile)/g,
      ),
      ([path]) => path,
    );
    assert.ok(paths.length >= 9);
    for (const path of paths) assert.ok(existsSync(join(root, path)), path);
  });
});

/** Returns the servers' container with all of its fields. */
function readServerContainer(): unknown {
  const [set] = documents.filter((document) => Document.parse(document).kind === "StatefulSet");
  const Whole = z.object({
    spec: z.object({
      template: z.object({ spec: z.object({ containers: z.array(z.unknown()).length(1) }) }),
    }),
  });
  return Whole.parse(set).spec.template.spec.containers[0];
}
