/** The file of models: every fault, with its place. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConfigError, parseConfig } from "../../src/config/config.ts";
import { azure, key, read, refuse, userId } from "./read-models.ts";

describe("faults of the file of models", () => {
  test("is refused as a whole if it cannot be read, or has another form", async (context) => {
    assert.throws(
      () => parseConfig({ MODELS_FILE: "/nowhere/models.json" }),
      (error) =>
        error instanceof ConfigError &&
        error.problems.join().startsWith("MODELS_FILE: /nowhere/models.json: cannot be read (ENOENT"),
    );
    const wholes: readonly (readonly [content: unknown, problem: RegExp])[] = [
      ["{}", /^models is required$/],
      ["", /^is not valid JSON: line 1, column 1: a value is missing/],
      ['{"models": [}', /^is not valid JSON: line 1, column 13/],
      ["[]", /^the file must be an object like \{"models":\[/],
      ["null", /^the file must be an object like/],
      [{ models: {} }, /^models must be a list of models$/],
      [{ models: [] }, /^models must not be empty$/],
      [{ models: Array.from({ length: 1_001 }, () => ({})) }, /^models must be at most 1000$/],
      [{ models: [{ name: "a", ...key }], $schema: 1 }, /^\$schema must be a text$/],
      [{ model: [] }, /^model is not a field; did you mean models\?,models is required$/],
      ['{"models": [{"name": "a", "name": "b"}]}', /^models\[0\]\.name stands twice in its object/],
      ["x".repeat(1024 * 1024 + 1), /^is larger than 1048576 bytes$/],
    ];
    for (const [content, problem] of wholes)
      assert.match((await read(context, content)).problems.join(), problem);
  });

  test("names every fault with the path of its field, at once", async (context) => {
    assert.deepEqual(
      await refuse(context, [
        { name: " a", ...key, windowTokens: 0, price: { input: -1, output: "1" } },
        {
          name: "b",
          ...key,
          apiKey: "k",
          baseURL: "x",
          Fallback: [],
          price: { cashedInput: 1, input: 1, output: 1 },
        },
        {
          name: "c",
          ...key,
          windowTokens: 1.5,
          maxOutputTokens: 1e10,
          failoverAfterMs: "1",
          reasoning: "yes",
        },
        "d",
        { ...key, parameters: { allow: ["x"], defaults: [] }, users: ["me"], keys: [], fallback: "b" },
      ]),
      [
        "models[0].name must not start or end with white space",
        "models[0].windowTokens must be a whole number of tokens from 1 to 1000000000",
        "models[0].price.input must be a number from 0 to 1000000",
        "models[0].price.output must be a number from 0 to 1000000",
        "models[1].price.cashedInput is not a field; did you mean cachedInput?",
        "models[1].apiKey is not a field: write apiKeyVariable, with the name of an environment variable that holds the key",
        "models[1].baseURL is not a field; did you mean baseUrl?",
        "models[1].Fallback is not a field; did you mean fallback?",
        "models[2].windowTokens must be a whole number of tokens from 1 to 1000000000",
        "models[2].maxOutputTokens must be a whole number of tokens from 1 to 1000000000",
        "models[2].reasoning must be auto, opened or none",
        "models[2].failoverAfterMs must be a whole number of milliseconds from 1 to 3600000",
        'models[3] must be an object like {"name":"gpt-5-mini","apiKeyVariable":"OPENAI_API_KEY"}',
        "models[4].name is required",
        'models[4].parameters.defaults must be an object like {"reasoning_effort":"low"}',
        "models[4].parameters.allow is not a field; the fields are allowed, defaults, rename",
        "models[4].fallback must be a list of models' names",
        "models[4].users[0] must be a user's id, a UUID",
        "models[4].keys must not be empty: leave it out to allow all keys",
      ],
    );
  });

  test("names the faults of a field beside those of the form of another, and of other entries", async (context) => {
    const API_KEYS = `web:${"k".repeat(24)}`;
    const entries = [
      {
        name: "a",
        apiKeyVariable: "MISSING_KEY",
        failoverAfterMs: 0,
        windowTokens: 1_000,
        maxOutputTokens: 1_000,
        fallback: ["a", 5, "bb", "bc"],
        parameters: { allow: [], defaults: { temperature: 3, stream: true }, rename: { a: "model", b: 5 } },
      },
      { name: "bb", baseUrl: "ftp://x", headers: { "X a": "1", "X-B": 5, host: "x" }, price: { input: 1 } },
      { name: "c", windowTokens: 0 },
      { name: "d", apiKey: "k" },
      { name: "e", baseUrl: 5, fallback: ["f"] },
      { name: "f", ...key, users: ["me"], keys: ["", "wbe"] },
      { name: "a", ...key, reasoning: 5, users: [userId], keys: 5 },
      { name: "g", ...key, users: [userId], price: 5 },
      { name: "h", ...key, fallback: ["g"], windowTokens: "1" },
    ];
    assert.deepEqual(await refuse(context, entries, { AUTH: "keys", API_KEYS, TITLE_MODEL: "zzz" }), [
      "models[0].parameters.rename.b must be a text",
      "models[0].parameters.allow is not a field; the fields are allowed, defaults, rename",
      "models[0].fallback[1] must be a text",
      "models[0].failoverAfterMs must be a whole number of milliseconds from 1 to 3600000",
      "models[0].maxOutputTokens must be less than windowTokens, 1000",
      "models[0].apiKeyVariable names MISSING_KEY, but that environment variable is not set",
      "models[0].parameters.defaults.temperature must be a number from 0 to 2, or null",
      "models[0].parameters.defaults.stream is set by each request itself",
      "models[0].parameters.rename.a is set by each request itself",
      "models[1].headers.X-B must be a text",
      "models[1].price.output is required",
      "models[1].baseUrl must be a URL that starts with http:// or https://",
      'models[1].headers."X a" is not the name of a header',
      "models[1].headers.host is set by each request itself",
      "models[2].windowTokens must be a whole number of tokens from 1 to 1000000000",
      "models[2].apiKeyVariable is required with https://api.openai.com/v1",
      "models[3].apiKey is not a field: write apiKeyVariable, with the name of an environment variable that holds the key",
      "models[4].baseUrl must be a text",
      "models[5].users[0] must be a user's id, a UUID",
      "models[5].keys[0] must not be empty",
      "models[6].reasoning must be auto, opened or none",
      "models[6].keys must be a list of names of API_KEYS",
      'models[7].price must be an object like {"input":1.25,"cachedInput":0.125,"output":10}',
      "models[8].windowTokens must be a whole number of tokens from 1 to 1000000000",
      "models[6].name is the name of models[0], too: choose another",
      "models[0].fallback[0] is the model itself",
      "models[0].fallback[3] is not the name of a model; the names are a, bb, c, d, e, f, g, h",
      'models[4].fallback[0] may be used by fewer users or keys than "e" itself',
      'models[8].fallback[0] may be used by fewer users or keys than "h" itself',
      "models[5].keys[1] is not the name of one of API_KEYS; they are web",
      "TITLE_MODEL must be the name of a model in MODELS_FILE; they are a, bb, c, d, e, f, g, h",
    ]);
  });

  test("refuses names that clients could not use, and equal ones, but not names that differ by case", async (context) => {
    for (const [name, problem] of [
      ["", "must not be empty"],
      ["a+plan", "must not end with +plan, with which clients ask for a plan"],
      ["a\nb", "must not contain control characters"],
      ["a\u0000", "must not contain control characters"],
      ["\ud800", "must be well-formed Unicode"],
      ["x".repeat(251), "must be at most 250 characters"],
      [5, "must be a text"],
      [null, "must be a text"],
    ] as const)
      assert.deepEqual(await refuse(context, [{ name, ...key }]), [`models[0].name ${problem}`]);
    const names = [
      "a",
      "A",
      "meta-llama/Llama-3.1:free",
      "constructor",
      "__proto__",
      "日本",
      "x".repeat(250),
      "a b",
    ];
    assert.deepEqual(
      await refuse(
        context,
        names.map((name) => ({ name, ...key, model: "a" })),
      ),
      [],
    );
    assert.deepEqual(
      await refuse(
        context,
        ["a", "b", "a", "a"].map((name) => ({ name, ...key })),
      ),
      [
        "models[2].name is the name of models[0], too: choose another",
        "models[3].name is the name of models[0], too: choose another",
      ],
    );
  });

  test("refuses fallbacks to unknown models, to itself, twice, and to models for fewer users", async (context) => {
    assert.deepEqual(
      await refuse(context, [
        { name: "gpt-5-mini", ...key, fallback: ["gpt-5-mni", "zzz", "gpt-5-mini", "b", "b"] },
        { name: "b", ...key, fallback: ["c"] },
        { name: "c", ...key, fallback: ["b", "e"] },
        { name: "d", ...key, fallback: ["e", "broken"], users: [userId] },
        { name: "e", ...key, users: [userId.toLowerCase()], keys: ["web"] },
        { name: "broken" },
      ]),
      [
        "models[5].apiKeyVariable is required with https://api.openai.com/v1",
        "models[0].fallback[0] is not the name of a model; did you mean gpt-5-mini?",
        "models[0].fallback[1] is not the name of a model; the names are gpt-5-mini, b, c, d, e, broken",
        "models[0].fallback[2] is the model itself",
        "models[0].fallback[4] stands twice in its list",
        'models[2].fallback[1] may be used by fewer users or keys than "c" itself',
      ],
    );
  });

  test("takes keys from named variables only, and quotes none", async (context) => {
    const wrongName =
      "must be the name of an environment variable, in capital letters, like OPENAI_API_KEY; never the key itself";
    for (const [apiKeyVariable, problem] of [
      ["sk-s3cret", wrongName],
      ["gsk_s3cret", wrongName],
      ["", wrongName],
      ["MISSING_KEY", "names MISSING_KEY, but that environment variable is not set"],
      ["EMPTY_KEY", "names EMPTY_KEY, but that environment variable is not set"],
      ["ODD_KEY", "names ODD_KEY, which must contain only ASCII characters: copy it again in full"],
      ["DATABASE_URL", "names DATABASE_URL, a setting of this server, which no model server may get"],
    ] as const) {
      const more = { DATABASE_URL: "postgres://db/chat" };
      const problems = await refuse(context, [{ name: "a", apiKeyVariable }], more);
      assert.deepEqual(problems, [`models[0].apiKeyVariable ${problem}`]);
    }
    assert.deepEqual(await refuse(context, [{ name: "a", azure }, { name: "b" }]), [
      "models[0].apiKeyVariable is required with azure",
      "models[1].apiKeyVariable is required with https://api.openai.com/v1",
    ]);
    const { models, problems } = await read(context, { models: [{ name: "a", apiKeyVariable: "SLOW_KEY" }] });
    assert.deepEqual([problems, models[0]?.openai.apiKey], [[], "s3cret-of-slow"]);
  });

  test("refuses URLs and headers that cannot work", async (context) => {
    for (const [baseUrl, problem] of [
      ["localhost:11434", "must be a URL that starts with http:// or https://"],
      ["ftp://x/v1", "must be a URL that starts with http:// or https://"],
      ["https://", "must be a URL that starts with http:// or https://"],
      ["https://me:pw@x/v1", "must not contain a user or password: use apiKeyVariable or headers"],
      ["https://x/v1?key=1", "must not contain a query or a fragment"],
      ["https://x/v1/chat/completions", "must be the root of the API, like http://localhost:11434/v1"],
      ["https://${NOTHING}/v1", "uses ${NOTHING}, but the environment variable NOTHING is not set"],
    ] as const) {
      const [first, ...others] = await refuse(context, [{ name: "a", baseUrl }]);
      assert.equal(first, `models[0].baseUrl ${problem}`);
      if (!baseUrl.includes("NOTHING")) assert.deepEqual(others, []);
    }
    const both = { name: "a", baseUrl: "http://x/v1", azure: { ...azure, endpoint: "x" }, ...key };
    const unversioned = { name: "b", azure: { ...azure, apiVersion: "" }, ...key };
    assert.deepEqual(await refuse(context, [both, unversioned]), [
      "models[0].baseUrl must be left out with azure, whose endpoint is the URL",
      "models[0].azure.endpoint must be a URL that starts with http:// or https://",
      "models[1].azure.apiVersion must not be empty",
    ]);
    const headers = { "X a": "1", "X-B": "ü", host: "x", "X-C": "1", "x-c": "2", "X-D": "a\r\nb" };
    assert.deepEqual(await refuse(context, [{ name: "a", baseUrl: "http://x/v1", headers }]), [
      'models[0].headers."X a" is not the name of a header',
      "models[0].headers.X-B must contain only ASCII characters: copy it again in full",
      "models[0].headers.X-D must contain only ASCII characters: copy it again in full",
      "models[0].headers.host is set by each request itself",
      "models[0].headers.x-c stands twice, in different cases",
    ]);
  });

  test("refuses a reply longer than the window, and parameters that requests set themselves", async (context) => {
    const defaults = { messages: [], stream: false, temperature: 3, top_p: 1 };
    const rename = { a: "b", b: "c", e: "model" };
    assert.deepEqual(
      await refuse(context, [
        { name: "a", ...key, windowTokens: 1_000, maxOutputTokens: 1_000, parameters: { defaults, rename } },
      ]),
      [
        "models[0].maxOutputTokens must be less than windowTokens, 1000",
        "models[0].parameters.defaults.temperature must be a number from 0 to 2, or null",
        "models[0].parameters.defaults.messages is set by each request itself",
        "models[0].parameters.defaults.stream is set by each request itself",
        "models[0].parameters.rename.a must not be b, which is renamed, too",
        "models[0].parameters.rename.e is set by each request itself",
      ],
    );
  });

  test("refuses names of unknown API keys, and warns of models that no caller may use", async (context) => {
    const API_KEYS = `web:${"k".repeat(24)},mobile:${"l".repeat(24)}`;
    const models = [
      { name: "a", ...key, keys: ["web", "moble", "zzz"] },
      { name: "b", ...key, users: [userId] },
    ];
    assert.deepEqual(await refuse(context, models, { AUTH: "keys", API_KEYS }), [
      "models[0].keys[1] is not the name of one of API_KEYS; did you mean mobile?",
      "models[0].keys[2] is not the name of one of API_KEYS; they are web, mobile",
    ]);
    const open = await read(context, { models });
    assert.deepEqual(
      [open.problems, open.warnings],
      [
        [],
        ["models[0]", "models[1]"].map(
          (place) =>
            `${place} is refused to all: AUTH=none proves no user or key, and the model is for some only`,
        ),
      ],
    );
    const { message = "" } = await read(context, { models }, { PORT: "-1" });
    assert.match(
      message,
      /^1 setting is invalid:\n {2}PORT .*\n {2}Warning: .*models\[0\] is refused to all/,
    );
    const known = await read(
      context,
      { models },
      { AUTH: "supabase", SUPABASE_URL: "https://x.supabase.co" },
    );
    assert.deepEqual(known.warnings, [
      "models[0] is refused to all: AUTH=supabase identifies users, and the model is for keys only",
    ]);
    assert.deepEqual(known.models[1]?.users, [userId.toLowerCase()]);
  });
});
