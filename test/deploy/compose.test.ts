/** The Compose files: valid by the Compose specification, and consistent with the image and the settings. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, test } from "node:test";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { z } from "zod";
import { parseConfig } from "../../src/config/config.ts";
import { variableNames } from "../../src/config/variables.ts";
import { misspell, readImageVariables, readYaml } from "./read-files.ts";

const Service = z.object({
  build: z.string().optional(),
  image: z.string(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()),
  env_file: z.array(z.object({ path: z.literal(".env"), required: z.literal(false) })).optional(),
  read_only: z.boolean().optional(),
  tmpfs: z.array(z.string()).optional(),
  cap_drop: z.array(z.string()).optional(),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  stop_grace_period: z.string().optional(),
});
const Compose = z.object({
  services: z.record(z.string(), Service),
  volumes: z.record(z.string(), z.object({})),
});

/** The contents of `.env`, by file. */
const settings = {
  "compose.yaml": { POSTGRES_PASSWORD: "5ec2e7" },
  "compose.supabase.yaml": {
    SUPABASE_URL: "https://example.supabase.co",
    SUPABASE_SERVICE_ROLE_KEY: "sb_secret_x",
  },
};
const stores = { "compose.yaml": "postgres", "compose.supabase.yaml": "supabase" };

function createValidator(): (document: unknown) => string | undefined {
  const file = join(
    fileURLToPath(import.meta.resolve("dclint/package.json")),
    "../schemas/compose.schema.json",
  );
  // Its `$schema` is an address that ajv does not know, of the draft that ajv reads by default.
  const { $schema: _, ...schema } = z
    .record(z.string(), z.unknown())
    .parse(JSON.parse(readFileSync(file, "utf8")));
  const ajv = new Ajv({ strict: false });
  addFormats.default(ajv);
  const validate = ajv.compile(schema);
  return (document) => (validate(document) ? undefined : ajv.errorsText(validate.errors));
}

/** Puts variables into a text as Compose does: `${NAME}`, and `${NAME:?what to do without it}`. */
function interpolate(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)(?::\?([^}]*))?\}/g, (_, name: string) => {
    const value = variables[name];
    if (value === undefined) throw new Error(`${name} is required`);
    return value;
  });
}

/** Returns the variables of a container. */
function toVariables(
  { environment }: z.infer<typeof Service>,
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const own = Object.entries(environment).map(([name, value]) => [name, interpolate(value, given)]);
  return { ...readImageVariables(), ...given, ...Object.fromEntries(own) };
}

function read(file: string): z.infer<typeof Compose> {
  const [document] = readYaml(file);
  return Compose.parse(document);
}

function readServer(file: string): z.infer<typeof Service> {
  return Service.parse(read(file).services["foreword"]);
}

for (const [file, given] of Object.entries(settings))
  describe(file, () => {
    const server = readServer(file);
    const variables = toVariables(server, given);
    const config = parseConfig(variables);

    test("is valid by the Compose specification, whose schema finds a misspelt key", () => {
      const validate = createValidator();
      const [document] = readYaml(file);
      assert.equal(validate(document), undefined);
      for (const name of ["services", "environment", "stop_grace_period"])
        assert.ok(validate(misspell(document, name)) !== undefined, name);
    });

    test("sets only variables that exist", () => {
      for (const name of Object.keys(server.environment)) assert.ok(variableNames.includes(name), name);
    });

    test("stores where its name says, and says which variable is missing", () => {
      assert.equal(config.app.store.type, stores[file === "compose.yaml" ? file : "compose.supabase.yaml"]);
      for (const name of Object.keys(given))
        assert.throws(() => toVariables(server, { ...given, [name]: undefined }), {
          message: `${name} is required`,
        });
    });

    test("trusts everyone only while its port is open on this machine alone", () => {
      const [port = ""] = server.ports;
      const [address] = port.split(":");
      assert.ok(config.app.auth.type !== "none" || address === "127.0.0.1");
      assert.equal(port.split(":").at(-1), String(config.port));
      // Without that line, it would not start at all.
      const strict = { ...variables, ALLOW_UNAUTHENTICATED: "false", AUTH: "none" };
      assert.throws(() => parseConfig(strict), /HOST is public but AUTH=none/);
    });

    test("takes authentication and other settings from .env, but neither addresses nor folders", () => {
      const own = {
        ...given,
        API_KEYS: `web:${"k".repeat(24)}`,
        AUTH: "keys",
        HOST: "127.0.0.1",
        PORT: "1",
        DATA_DIR: "x",
      };
      const { host, port, app } = parseConfig(
        toVariables(server, file === "compose.yaml" ? own : { ...own, API_KEYS: "" }),
      );
      assert.deepEqual([host, port], ["0.0.0.0", config.port]);
      assert.equal(app.auth.type, file === "compose.yaml" ? "keys" : "supabase");
      assert.ok(app.store.type !== "none" && app.store.dataDir === "/data");
      assert.ok(server.env_file !== undefined);
    });

    test("waits until running replies are finished, and 5 s more", () => {
      const [, seconds] = /^(\d+)s$/.exec(server.stop_grace_period ?? "") ?? [];
      assert.ok(Number(seconds) * 1000 >= config.drainMs + 5_000);
    });

    test("can write to its data and to /tmp only, and keeps its data", () => {
      assert.equal(server.read_only, true);
      assert.deepEqual(server.tmpfs, ["/tmp"]);
      assert.deepEqual(server.cap_drop, ["ALL"]);
      assert.deepEqual(server.volumes, [`data:${variables["DATA_DIR"]}`]);
    });

    test("declares the volumes that it mounts, and waits only for services that it has", () => {
      const { services, volumes } = read(file);
      for (const service of Object.values(services)) {
        for (const volume of service.volumes) assert.ok(volumes[volume.split(":")[0] ?? ""], volume);
        for (const [name, { condition }] of Object.entries(service.depends_on)) {
          const other = Service.parse(services[name]);
          const works = {
            service_healthy: other.healthcheck !== undefined,
            service_completed_successfully: true,
          };
          assert.ok(
            Object.entries(works).some(([known, isPossible]) => known === condition && isPossible),
            name,
          );
        }
      }
    });
  });

describe("the Compose files", () => {
  test("run the same server in the same way, but for its store and who may use it", () => {
    const [postgres, supabase] = ["compose.yaml", "compose.supabase.yaml"].map((file) => {
      const [document] = readYaml(file);
      const { services } = z
        .object({ services: z.record(z.string(), z.record(z.string(), z.unknown())) })
        .parse(document);
      const { environment: _, depends_on: __, ...others } = services["foreword"] ?? {};
      return others;
    });
    assert.deepEqual(postgres, supabase);
  });

  test("apply the schema to the database that the server uses, before it starts", () => {
    const { services } = read("compose.yaml");
    const migrate = Service.parse(services["migrate"]);
    const given = settings["compose.yaml"];
    const [own, server] = [migrate, readServer("compose.yaml")].map((service) => toVariables(service, given));
    assert.deepEqual(migrate.command, ["migrate"]);
    assert.equal(own?.["DATABASE_URL"], server?.["DATABASE_URL"]);
    assert.equal(parseConfig(own ?? {}).app.store.type, "postgres");
    const { pathname, username, password, hostname } = new URL(own?.["DATABASE_URL"] ?? "");
    const database = toVariables(Service.parse(services[hostname]), given);
    const { POSTGRES_DB, POSTGRES_USER, POSTGRES_PASSWORD } = database;
    assert.deepEqual([pathname, username, password], [`/${POSTGRES_DB}`, POSTGRES_USER, POSTGRES_PASSWORD]);
  });
});
