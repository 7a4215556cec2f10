/** The file of tool servers: the forms that other programs write, and every fault with its place. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { ConfigError, parseConfig, type Config } from "../../src/config/config.ts";
import { makeTestFolder } from "../support/apps/use-app.ts";

const variables = { TOKEN: "s3cret-value", EMPTY: "" };

/** Returns the configuration with a file of `content`, or its problems with the file's path cut off. */
async function read(
  context: TestContext,
  content: unknown,
): Promise<{ readonly config?: Config; readonly problems: readonly string[]; readonly folder: string }> {
  const folder = await makeTestFolder(context);
  const file = join(folder, "mcp.json");
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  try {
    return { config: parseConfig({ ...variables, MCP_SERVERS_FILE: file }), problems: [], folder };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const start = `MCP_SERVERS_FILE: ${file}: `;
    return { problems: error.problems.map((problem) => problem.replace(start, "")), folder };
  }
}

describe("the file of tool servers", () => {
  test("has the forms of Claude Desktop, Cursor and VS Code, with comments and trailing commas", async (context) => {
    const { config, problems, folder } = await read(
      context,
      `\ufeff{
        // of VS Code
        "inputs": [],
        "servers": {
          "My Files": { "type": "stdio", "command": "~/bin/files", "args": ["./a", "\${userHome}",], /* "b" */ },
          "remote": {
            "type": "http", "url": "https://example.com/mcp?key=\${env:TOKEN}",
            "headers": { "Authorization": "Bearer \${TOKEN}", "X-Default": "\${NOTHING:-none}" },
            "tools": { "a": "read", "b": { "access": "off", "price": 0.5 }, "constructor": "ask" },
            "trusted": true, "timeoutMs": 90000,
          },
          "off": { "command": "x", "env": { "A": "\${MISSING}" }, "disabled": true },
        },
      }`,
    );
    assert.deepEqual(problems, []);
    const options = config?.app.toolServers;
    assert.deepEqual(options?.disabled, ["off"]);
    assert.deepEqual(options?.servers, [
      {
        name: "My Files",
        prefix: "My_Files",
        address: {
          type: "stdio",
          command: `${homedir()}/bin/files`,
          args: ["./a", homedir()],
          env: {},
          cwd: folder,
        },
        tools: new Map(),
        isTrusted: false,
        timeoutMs: 20_000,
      },
      {
        name: "remote",
        prefix: "remote",
        address: {
          type: "http",
          url: "https://example.com/mcp?key=s3cret-value",
          headers: { Authorization: "Bearer s3cret-value", "X-Default": "none" },
        },
        tools: new Map<string, object>([
          ["a", { access: "read" }],
          ["b", { access: "off", price: 0.5 }],
          ["constructor", { access: "ask" }],
        ]),
        isTrusted: true,
        timeoutMs: 90_000,
      },
    ]);
    assert.ok(config?.secrets.includes("s3cret-value"));
  });

  test("is refused with a sentence for each fault, all together", async (context) => {
    const { problems } = await read(context, {
      mcpServers: {
        none: {},
        both: { command: "x", url: "https://example.com" },
        list: [],
        sse: { type: "sse", url: "https://example.com/sse" },
        scheme: { url: "ftp://example.com" },
        unset: { command: "x", args: ["ok", "${env:MISSING}"], env: { A: "${input:key}" } },
        empty: { command: "${EMPTY}", args: ["${toString}"] },
        editor: { command: "${workspaceFolder}/x" },
        header: { url: "https://example.com", headers: { "Bad Name": "a", Good: "…" } },
        tools: { command: "x", tools: { a: "yes", b: { access: "read", cost: 1 }, c: { price: -1 } } },
        late: { command: "x", timeoutMs: 90_001, trusted: "yes" },
        天気: { command: "x" },
        ["n".repeat(41)]: { command: "x" },
        "a.b": { command: "x" },
        "A b": { command: "x" },
      },
    });
    const place = "mcpServers.";
    assert.deepEqual(problems, [
      `${place}none must have a command or a url`,
      `${place}both has both command and url: a server is either a process or at a URL`,
      `${place}list must be an object with a command or a url`,
      `${place}sse.type is "sse", a transport that MCP has replaced: use the server's streamable HTTP URL, with "type": "http"`,
      `${place}scheme.url must be a URL that starts with http:// or https://`,
      `${place}unset.env.A uses \${input:key}, which an editor prompts for: set an environment variable and use \${env:NAME} instead`,
      `${place}unset.args[1] uses \${env:MISSING}, but the environment variable MISSING is not set`,
      `${place}empty.command uses \${EMPTY}, but the environment variable EMPTY is not set`,
      `${place}empty.args[0] uses \${toString}, but the environment variable toString is not set`,
      `${place}editor.command uses \${workspaceFolder}, which only an editor knows: write the path, relative to the file`,
      `${place}header.headers."Bad Name" is not the name of a header`,
      `${place}header.headers.Good must contain only ASCII characters: copy it again in full`,
      `${place}tools.tools.a.access must be "read", "ask", "off", or an object like {"access":"ask","price":0.01}`,
      `${place}tools.tools.b must be "read", "ask", "off", or an object like {"access":"ask","price":0.01}`,
      `${place}tools.tools.c.price must be at least 0`,
      `${place}late.trusted must be true or false`,
      `${place}late.timeoutMs must be a whole number of milliseconds from 1 to 90000`,
      `${place}"天気" must have a name with 1 to 40 letters, digits, - and _: its tools' names start with it`,
      `${place}${"n".repeat(41)} must have a name with 1 to 40 letters, digits, - and _: its tools' names start with it`,
      'mcpServers: "a.b" and "A b" would both name their tools a_b__…: rename one',
    ]);
  });

  test("that is not JSON is refused with line and column, and without a word of it", async (context) => {
    for (const [content, problem] of [
      ["", "line 1, column 1: a value is missing or malformed"],
      ['{\n  "mcpServers": s3cret\n}', "line 2, column 17: a value is missing or malformed"],
      ['{"a": 1 "b": 2}', 'line 1, column 9: "," or "}" is missing'],
      ['{"a" 1}', "line 1, column 6: a colon is missing after a key"],
      ["{} {}", "line 1, column 4: there is more after the end"],
      ['{"a": "open', "line 1, column 7: a value is missing or malformed"],
      ["[".repeat(100), "line 1, column 66: values are nested more than 64 deep"],
    ])
      assert.deepEqual((await read(context, content)).problems, [`is not valid JSON: ${problem}`]);
    for (const content of ["[]", "null", "{}", '{"mcpServers": []}'])
      assert.match((await read(context, content)).problems[0] ?? "", /must be an object of servers/);
    const { problems } = parseProblems(join(await makeTestFolder(context), "missing.json"));
    assert.match(problems[0] ?? "", /^MCP_SERVERS_FILE: .*missing\.json: cannot be read \(ENOENT/);
  });

  test("must not name a server twice, or __proto__", async (context) => {
    const { problems } = await read(
      context,
      '{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}, "__proto__": {"command": "z"}}}',
    );
    assert.deepEqual(problems.slice(0, 2), [
      "mcpServers.a stands twice in its object",
      "mcpServers.__proto__ is not a possible name",
    ]);
  });

  test("with keys of other programs is used, with a warning about each", async (context) => {
    const { config, folder } = await read(context, {
      mcpServers: { a: { command: "x", autoApprove: ["b"], envFile: ".env", description: "My tools" } },
    });
    assert.deepEqual(
      config?.warnings.map((warning) => warning.replace(`${folder}/mcp.json: mcpServers.a.`, "")),
      [
        'autoApprove is not a setting and is ignored: write "tools": {"<tool>": "read"}',
        "envFile is not a setting and is ignored: write its variables into env, like ${env:NAME}",
        "description is not a setting and is ignored",
      ],
    );
  });
});

function parseProblems(file: string): { readonly problems: readonly string[] } {
  try {
    parseConfig({ MCP_SERVERS_FILE: file });
  } catch (error) {
    if (error instanceof ConfigError) return error;
  }
  return { problems: [] };
}
