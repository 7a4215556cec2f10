/** The Dockerfile, as far as it can be judged without building it; test/slow/image.test.ts builds it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { ConfigError, parseConfig } from "../../src/config/config.ts";
import { variableNames } from "../../src/config/variables.ts";
import { closeServer, listen } from "../support/network/local-port.ts";
import { readImageVariables, readInstructions, readStages, readText, root } from "./read-files.ts";

const Words = z.array(z.string());
const run = promisify(execFile);

/** Whether a line of `.dockerignore` is about `path`: it names it, or a folder above it. */
function matches(pattern: string, path: string): boolean {
  const expression = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll(/\*\*\/|\*/g, (stars) => (stars === "*" ? "[^/]*" : "(?:.+/)?"));
  return new RegExp(`^${expression}(?:/|$)`).test(path);
}

/** Whether `.dockerignore` lets `path` into the build: the last line about it decides. */
function isInBuild(path: string): boolean {
  const lines = readText(".dockerignore")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  const last = lines.findLast((line) => matches(line.replace("!", ""), path));
  return last === undefined || last.startsWith("!");
}

describe("the Dockerfile", () => {
  test("copies files that exist, and that .dockerignore lets through", () => {
    const copies = readStages()
      .flat()
      .filter(({ name, value }) => name === "COPY" && !value.startsWith("--from="));
    const sources = copies.flatMap(({ value }) => value.split(" ").slice(0, -1));
    assert.ok(sources.length >= 10);
    for (const source of sources) {
      assert.ok(existsSync(join(root, source)), source);
      assert.ok(isInBuild(source), `.dockerignore keeps ${source} out`);
    }
  });

  test("never gets secrets, databases or installed packages into a build", () => {
    for (const path of [".env", ".foreword/database", ".git/config", "models.json", "node_modules/pg"])
      assert.ok(!isInBuild(path), path);
    for (const path of ["web/node_modules/vite", "web/dist/index.html", "packages/foreword-client/dist"])
      assert.ok(!isInBuild(path), path);
    assert.ok(isInBuild("src/main.ts"));
  });

  test("serves as a user other than root, who owns the folder of the data", () => {
    const [user = ""] = readInstructions("USER");
    assert.match(user, /^[1-9]\d+:[1-9]\d+$/);
    const { DATA_DIR = "" } = readImageVariables();
    assert.deepEqual(readInstructions("VOLUME"), [DATA_DIR]);
    const [owner, group] = user.split(":");
    assert.ok(
      readInstructions("RUN").some(
        (command) =>
          command.includes(`--owner=${owner} --group=${group}`) && command.endsWith(` ${DATA_DIR}`),
      ),
    );
  });

  test("fills the compile cache as the user who serves, since Node keeps one for each user", () => {
    const [build = []] = readStages();
    const users = build.filter(({ name }) => name === "USER").map(({ value }) => value);
    assert.deepEqual(users, [readInstructions("USER")[0]?.split(":")[0], "root"]);
  });

  test("sets variables that exist, and starts only with AUTH or ALLOW_UNAUTHENTICATED", () => {
    const variables = readImageVariables();
    for (const name of Object.keys(variables)) assert.ok(variableNames.includes(name), name);
    assert.throws(
      () => parseConfig(variables),
      (error) => error instanceof ConfigError && /AUTH/.test(error.message),
    );
    const { port, host } = parseConfig({ ...variables, ALLOW_UNAUTHENTICATED: "true" });
    assert.deepEqual([host, readInstructions("EXPOSE")], ["0.0.0.0", [String(port)]]);
  });

  test("has Node of the version that is tested", () => {
    const { devDependencies } = z
      .object({ devDependencies: z.record(z.string(), z.string()) })
      .parse(JSON.parse(readText("package.json")));
    const [, base] = /^ARG BASE=node:(\d+)-slim$/m.exec(readText("Dockerfile")) ?? [];
    assert.equal(base, devDependencies["node"]?.split(".")[0]);
  });

  test("has a health check that passes only while the server is healthy", async () => {
    const [check = ""] = readInstructions("HEALTHCHECK");
    const [, ...args] = Words.parse(JSON.parse(check.replace(/^.* CMD /, "")));
    let status = 200;
    const paths: unknown[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url);
      response.writeHead(status).end();
    });
    const PORT = String(await listen(server));
    const passes = async (): Promise<boolean> =>
      await run(process.execPath, args, { env: { PORT } }).then(
        () => true,
        () => false,
      );
    try {
      assert.equal(await passes(), true);
      status = 500;
      assert.equal(await passes(), false);
    } finally {
      await closeServer(server);
    }
    assert.equal(await passes(), false);
    assert.deepEqual(paths, ["/healthz", "/healthz"]);
  });
});
