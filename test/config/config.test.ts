/** The settings: defaults, precedence, and every problem, all reported at once. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { ConfigError, parseConfig } from "../../src/config/config.ts";

function problemsOf(variables: Record<string, string>): readonly string[] {
  try {
    parseConfig(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("parseConfig", () => {
  test("refuses keys that no header can hold, like one with the … of an example, without showing them", () => {
    const model = { OPENAI_MODEL: "x", SUPABASE_URL: "https://a.supabase.co" };
    for (const name of [
      "OPENAI_API_KEY",
      "OPENAI_ORG_ID",
      "OPENAI_PROJECT_ID",
      "SUPABASE_ANON_KEY",
      "SUPABASE_SERVICE_ROLE_KEY",
    ])
      for (const value of ["sk-…", "“sk-x”", "sk\u200bx", "sk-\nx"])
        assert.deepEqual(problemsOf({ ...model, [name]: value }), [
          `${name} must contain only ASCII characters, because it is sent in a header: copy it again in full`,
        ]);
    assert.deepEqual(problemsOf({ ...model, OPENAI_API_KEY: "not needed" }), []);
  });

  test("needs no settings: demo model, embedded store, loopback, the old service's origins", () => {
    const { host, port, drainMs, app } = parseConfig({});
    assert.deepEqual([host, port, drainMs], ["127.0.0.1", 8000, 10_000]);
    assert.equal(app.model.type, "demo");
    assert.equal(app.store.type, "embedded");
    assert.equal(app.corsOrigins.length, 8);
  });

  test("treats an empty variable as unset, except the temperature: empty sends none", () => {
    const { app } = parseConfig({
      PORT: "",
      DATABASE_URL: " ",
      OPENAI_API_KEY: "k",
      OPENAI_MODEL: "m",
      OPENAI_TEMPERATURE: "",
    });
    assert.equal(app.store.type, "embedded");
    assert.ok(app.model.type === "openai");
    assert.equal(app.model.models[0].openai.temperature, undefined);
    const usual = parseConfig({ OPENAI_API_KEY: "k", OPENAI_MODEL: "m" }).app.model;
    assert.equal(usual.type === "openai" && usual.models[0].openai.temperature, 0.3);
  });

  test("has embeddings with a model, of OpenAI if it has only a key", () => {
    assert.equal(parseConfig({}).app.embeddings, undefined);
    const of = (variables: Record<string, string>) =>
      parseConfig({ EMBEDDINGS_MODEL: "m", ...variables }).app;
    const { embeddings, store } = of({ EMBEDDINGS_API_KEY: "k", EMBEDDINGS_QUERY_PREFIX: '"q: "' });
    assert.deepEqual(
      [embeddings?.baseUrl.href, embeddings?.apiKey, embeddings?.queryPrefix, embeddings?.dimensions],
      ["https://api.openai.com/v1", "k", "q: ", undefined],
    );
    assert.ok(store.type === "embedded" && store.hasVectors);
    assert.equal(
      of({ EMBEDDINGS_BASE_URL: "http://a/v1", EMBEDDINGS_DIMENSIONS: "256" }).embeddings?.dimensions,
      256,
    );
    assert.deepEqual(problemsOf({ EMBEDDINGS_BASE_URL: "http://a/v1" }), [
      "EMBEDDINGS_BASE_URL requires EMBEDDINGS_MODEL",
    ]);
    assert.deepEqual(problemsOf({ EMBEDDINGS_MODEL: "m" }), [
      "EMBEDDINGS_MODEL requires EMBEDDINGS_BASE_URL, or EMBEDDINGS_API_KEY for OpenAI's own",
    ]);
    assert.equal(problemsOf({ EMBEDDINGS_MODEL: "m", EMBEDDINGS_DIMENSIONS: "0" }).length, 2);
    const key = "a-secret-of-embeddings";
    assert.ok(parseConfig({ EMBEDDINGS_MODEL: "m", EMBEDDINGS_API_KEY: key }).secrets.includes(key));
  });

  test("refuses an image limit that no body can hold, and a limit for all bodies below that for one", () => {
    assert.deepEqual(problemsOf({ LIMIT_IMAGE_MIB: "15" }), []);
    assert.deepEqual(problemsOf({ LIMIT_IMAGE_MIB: "30", LIMIT_BODY_MIB: "40" }), []);
    const [image, ...others] = problemsOf({ LIMIT_IMAGE_MIB: "16", LIMIT_BODY_MIB: "20" });
    assert.match(image ?? "", /^LIMIT_IMAGE_MIB .*LIMIT_BODY_MIB=20/);
    assert.deepEqual(others, []);
    const [bodies, ...more] = problemsOf({ LIMIT_BODIES_MIB: "10", LIMIT_BODY_MIB: "20" });
    assert.match(bodies ?? "", /^LIMIT_BODIES_MIB=10 .*LIMIT_BODY_MIB=20/);
    assert.deepEqual(more, []);
  });

  test("reports contradictions beside invalid values, except those that follow from an invalid value", () => {
    assert.deepEqual(
      problemsOf({ PORT: "x", HOST: "0.0.0.0", WORKERS: "2", API_KEYS: "k".repeat(24) }).map(
        (text) => text.split(" ")[0],
      ),
      ["PORT", "WORKERS", "HOST", "API_KEYS"],
    );
    assert.deepEqual(problemsOf({ AUTH: "nobody", HOST: "0.0.0.0", API_KEYS: "k".repeat(24) }), [
      "AUTH must be none, supabase or keys",
    ]);
  });

  test("accepts words in any case, and values with blanks, line ends or Docker's quotes around them", () => {
    const { app, logLevel, port } = parseConfig({
      AUTH: "Keys",
      API_KEYS: `${"k".repeat(24)}\r\n`,
      LOG_LEVEL: "INFO",
      PORT: '"9000"',
    });
    assert.deepEqual([app.auth.type, logLevel, port], ["keys", "info", 9000]);
  });

  test("refuses a URL whose password ends too early, explains how to escape it, and quotes none of it", () => {
    for (const [name, url] of [
      ["DATABASE_URL", "postgres://me:hun/ter2@db:5432/chat"],
      ["DATABASE_URL", "postgres://me:12/34ter2@db:5432/chat"],
      ["DATABASE_URL", "postgres://me:hun#ter2@db/chat"],
      ["DATABASE_URL", "postgres://me:12#ter2@db/chat"],
      ["DATABASE_URL", "postgres://me:hun?ter2@db/chat"],
      ["DATABASE_URL", "postgres://me:12?ter2@db/chat"],
      ["DATABASE_URL", "postgres://me:p@hun/ter2@db/chat"],
      ["DATABASE_URL", "postgres://me:hun%ter2@db/chat"],
      ["DATABASE_URL", "postgres://me:hunter2@db/chat#x"],
      ["OPENAI_BASE_URL", "http://me:12/ter2@model/v1"],
      ["OPENAI_BASE_URL", "http://me:ter2@model/v1#x"],
    ] as const) {
      const [problem = "", ...others] = problemsOf({ [name]: url, OPENAI_MODEL: "m" });
      assert.deepEqual(others, [], url);
      assert.match(problem, new RegExp(`^${name} must be a URL`));
      if (url.startsWith("postgres") || url.includes("12"))
        assert.match(problem, /write @ as %40.*% as %25$/);
      assert.doesNotMatch(problem, /hun|ter2|12/);
    }
    for (const url of [
      "postgres://me:h%40n%2Fter@db/chat",
      "postgres://me:h@n@db/chat",
      "postgres:///chat?host=/run",
      "postgres://db/chat?application_name=a",
    ])
      assert.deepEqual(problemsOf({ DATABASE_URL: url }), []);
    for (const url of ["http://localhost:11434/v1", "https://x.example/@cf/v1", "http://me:pw@x.example/v1"])
      assert.deepEqual(problemsOf({ OPENAI_BASE_URL: url, OPENAI_MODEL: "m" }), []);
  });

  test("takes a URL of Redis, with TLS or without, and explains what is wrong with others", () => {
    const database = { DATABASE_URL: "postgres://db/chat" };
    const urls = ["redis://cache", "rediss://me:p%40ss@cache:6380/1", "redis://:pw@[::1]:6379/"];
    for (const url of urls) {
      const { app, secrets } = parseConfig({ ...database, REDIS_URL: url });
      assert.ok(app.store.type === "postgres" && app.store.redis?.url === url && secrets.includes(url));
    }
    for (const url of [
      "cache:6379",
      "http://cache",
      "redis://cache/x",
      "redis://me:hun/ter2@cache",
      "redis://cache?db=1",
    ]) {
      const [problem = "", ...others] = problemsOf({ ...database, REDIS_URL: url });
      assert.deepEqual(others, [], url);
      assert.match(
        problem,
        /^REDIS_URL must be a URL like redis:\/\/user:password@host:6379\/0, or rediss:\/\/ for TLS/,
      );
      assert.doesNotMatch(problem, /hun|ter2/);
    }
    const alone =
      /^REDIS_URL requires a shared database \(DATABASE_URL, or SUPABASE_URL and SUPABASE_SERVICE/;
    assert.match(problemsOf({ REDIS_URL: "redis://cache" }).join(), alone);
    const anonymous = { SUPABASE_URL: "https://x.supabase.co", SUPABASE_ANON_KEY: "k" };
    assert.match(problemsOf({ ...anonymous, REDIS_URL: "redis://cache" }).join(), alone);
  });

  test("refuses AUTH=none beyond loopback unless allowed, and keys and secrets that have no effect", () => {
    for (const HOST of ["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"])
      assert.deepEqual(problemsOf({ HOST }), []);
    assert.equal(parseConfig({ HOST: "[::1]" }).host, "::1"); // as addresses are listened on
    for (const HOST of ["0.0.0.0", "::", "chat.example.com", "127.0.0.1.example.com"]) {
      assert.match(problemsOf({ HOST }).join(), /^HOST is public but AUTH=none/);
      assert.deepEqual(problemsOf({ HOST, ALLOW_UNAUTHENTICATED: "true" }), []);
      assert.deepEqual(problemsOf({ HOST, AUTH: "keys", API_KEYS: "k".repeat(24) }), []);
    }
    const [secret, url] = ["s".repeat(32), "https://x.supabase.co"];
    assert.match(problemsOf({ AUTH: "supabase" }).join(), /^AUTH=supabase requires SUPABASE_URL/);
    assert.deepEqual(problemsOf({ AUTH: "keys" }), ["AUTH=keys requires API_KEYS"]);
    assert.deepEqual(problemsOf({ API_KEYS: "k".repeat(24) }), ["API_KEYS requires AUTH=keys"]);
    assert.deepEqual(problemsOf({ SUPABASE_URL: url, SUPABASE_JWT_SECRET: secret }), [
      "SUPABASE_JWT_SECRET requires AUTH=supabase",
    ]);
    for (const API_KEYS of ["short", `${"k".repeat(24)},`, `${"k".repeat(24)} x`])
      assert.match(
        problemsOf({ AUTH: "keys", API_KEYS }).join(),
        /^API_KEYS must be comma-separated keys of 24/,
      );
    assert.match(problemsOf({ AUTH: "token" }).join(), /^AUTH must be none, supabase or keys/);
  });

  test("names API keys by their own names, or by their digests", () => {
    const [first, second] = ["k".repeat(24), `${"l".repeat(30)}==`];
    const namesOf = (API_KEYS: string): unknown => {
      const { app, secrets } = parseConfig({ AUTH: "keys", API_KEYS });
      assert.ok(secrets.includes(first) && !secrets.some((secret) => secret.includes(":")));
      return app.auth.type === "keys" && app.auth.keys.map(({ name, key }) => [name, key]);
    };
    assert.deepEqual(namesOf(`${first}, web.app:${second}`), [
      ["key-eede6765", first],
      ["web.app", second],
    ]);
    // A key and its successor may have the same name.
    assert.deepEqual(namesOf(`web : ${first},web:${second},web:${first}`), [
      ["web", first],
      ["web", second],
      ["web", first],
    ]);
    for (const API_KEYS of [`:${first}`, `a b:${first}`, `-a:${first}`, `${"n".repeat(65)}:${first}`])
      assert.deepEqual(problemsOf({ AUTH: "keys", API_KEYS }), [
        "API_KEYS has a key whose name is not 1 to 64 letters, digits, . _ and -",
      ]);
    assert.deepEqual(problemsOf({ AUTH: "keys", API_KEYS: `web:${first},${first}` }), [
      "API_KEYS has one key under two names: use a key of its own for each name",
    ]);
    for (const API_KEYS of ["web:", "web:short", `web:x:${first}`, `${first}:web`])
      assert.match(problemsOf({ AUTH: "keys", API_KEYS }).join(), /each alone or as name:key$/);
  });

  test("uses a project without a key only as the issuer of tokens: the store is the embedded one, or DATABASE_URL", () => {
    const SUPABASE_URL = "https://x.supabase.co";
    const { app } = parseConfig({ AUTH: "supabase", SUPABASE_URL });
    assert.deepEqual(app.auth, {
      type: "supabase",
      supabase: { url: SUPABASE_URL, jwtSecret: undefined },
    });
    assert.equal(app.store.type, "embedded");
    const DATABASE_URL = "postgres://localhost/chat";
    assert.equal(parseConfig({ AUTH: "supabase", SUPABASE_URL, DATABASE_URL }).app.store.type, "postgres");
  });

  test("reports every invalid variable at once", () => {
    const problems = problemsOf({
      PORT: "http",
      DRAIN_SECONDS: "-1",
      OPENAI_API_KEY: "sk-secret",
      OPENAI_TEMPERATURE: "warm",
      DATABASE_URL: "mysql://x",
      SUPABASE_ANON_KEY: "secret-key",
      CORS_ALLOW_ORIGINS: "*",
      DEMO_MODE: "perhaps",
      SUPABASE_TABLE_MESSAGES: 'm"; drop table x',
      MODEL_IDLE_TIMEOUT_MS: "0",
      LOG_LEVEL: "loud",
      AZURE_OPENAI_ENDPOINT: "azure.example",
    });
    const names = [
      "PORT",
      "DRAIN_SECONDS",
      "OPENAI_TEMPERATURE",
      "DATABASE_URL",
      "CORS_ALLOW_ORIGINS",
      "DEMO_MODE",
      "SUPABASE_TABLE_MESSAGES",
    ];
    const more = [
      "MODEL_IDLE_TIMEOUT_MS",
      "LOG_LEVEL",
      "AZURE_OPENAI_ENDPOINT",
      "OPENAI_MODEL",
      "AZURE_OPENAI_API_KEY",
      "OPENAI_API_VERSION",
      "SUPABASE_ANON_KEY",
    ];
    assert.deepEqual(
      problems.map((problem) => problem.replace(/ .*/, "")).toSorted(),
      [...names, ...more].toSorted(),
    );
    assert.ok(!problems.join().includes("secret"));
  });

  test("reports variables that exclude or require each other", () => {
    const azure = {
      AZURE_OPENAI_ENDPOINT: "https://x.example",
      AZURE_OPENAI_API_KEY: "k",
      OPENAI_API_VERSION: "1",
      OPENAI_MODEL: "m",
    };
    const schema = readFileSync("supabase_schema.sql", "utf8");
    const tables = Array.from(
      schema.matchAll(/^create table if not exists public\.(\w+)/gm),
      ([, name = ""]) => name,
    ).filter((name) => name !== "turns");
    assert.ok(tables.length > 10);
    const clashes: readonly (readonly [Record<string, string>, RegExp])[] = [
      [
        { ...azure, OPENAI_BASE_URL: "https://y.example" },
        /^Set either OPENAI_BASE_URL or AZURE_OPENAI_ENDPOINT, not both$/,
      ],
      [{ AZURE_OPENAI_API_KEY: "k" }, /^AZURE_OPENAI_API_KEY requires AZURE_OPENAI_ENDPOINT/],
      [{ SUPABASE_TABLE_MESSAGES: "conversations" }, /^SUPABASE_TABLE_MESSAGES is the name of another table/],
      [{ SUPABASE_TABLE_TURNS: "turn_pieces" }, /^SUPABASE_TABLE_TURNS is the name of another table/],
      ...tables.map((table) => [{ SUPABASE_TABLE_TURNS: table }, /is the name of another table/] as const),
      [{ SUPABASE_URL: "https://x.supabase.co/rest/v1" }, /^SUPABASE_URL must be the project's URL/],
      [{ SUPABASE_URL: "x.supabase.co" }, /^SUPABASE_URL must be a URL that starts with http:/],
      [{ DEMO_MODE: "true", OPENAI_API_KEY: "k", PORT: "x" }, /^PORT /],
    ];
    for (const [variables, problem] of clashes) {
      const problems = problemsOf(variables);
      assert.equal(problems.length, 1, problems.join("; "));
      assert.match(problems[0] ?? "", problem);
    }
  });

  test("requires OPENAI_MODEL with a key or a base URL, except in demo mode", () => {
    assert.deepEqual(problemsOf({ OPENAI_BASE_URL: "http://localhost:11434/v1" }), [
      "OPENAI_MODEL is required with OPENAI_BASE_URL",
    ]);
    assert.equal(parseConfig({ OPENAI_API_KEY: "k", DEMO_MODE: "True" }).app.model.type, "demo");
  });

  test("uses DATABASE_URL as the store, else Supabase with a key, else the embedded database", () => {
    const postgres = { DATABASE_URL: "postgres://localhost/chat" };
    const supabase = { SUPABASE_URL: "https://x.supabase.co", SUPABASE_SERVICE_ROLE_KEY: "s" };
    const type = (variables: Record<string, string>): string => parseConfig(variables).app.store.type;
    assert.equal(type({ ...postgres, ...supabase }), "postgres");
    assert.equal(type(supabase), "supabase");
    assert.equal(type({ SUPABASE_URL: "https://x.supabase.co" }), "embedded");
    assert.equal(type({ ...postgres, CHAT_STORE_ENABLED: "false" }), "none");
    const both = parseConfig({ ...supabase, SUPABASE_ANON_KEY: "a" }).app.store;
    const attachments = { maxUserBytes: 1024 * 1024 * 1024, bucket: undefined };
    const journal = {
      dataDir: ".foreword",
      maxJournalBytes: 256 * 1024 * 1024,
      readsSummaries: false,
      redis: undefined,
      attachments,
    };
    assert.deepEqual(both, {
      ...journal,
      type: "supabase",
      supabase: { url: "https://x.supabase.co", key: "s", usesCallerToken: false },
    });
    const anonymous = parseConfig({ SUPABASE_URL: "https://x.supabase.co", SUPABASE_ANON_KEY: "a" }).app
      .store;
    assert.deepEqual(anonymous, {
      ...journal,
      type: "supabase",
      supabase: { url: "https://x.supabase.co", key: "a", usesCallerToken: true },
    });
  });

  test("configures Azure OpenAI as the openai package does", () => {
    const { model } = parseConfig({
      AZURE_OPENAI_ENDPOINT: "https://x.openai.azure.com",
      AZURE_OPENAI_API_KEY: "k",
      OPENAI_API_VERSION: "2025-01-01",
      OPENAI_MODEL: "deployment",
    }).app;
    assert.ok(model.type === "openai");
    assert.deepEqual(model.models[0].openai.azure, {
      endpoint: "https://x.openai.azure.com",
      apiKey: "k",
      apiVersion: "2025-01-01",
    });
  });
});
