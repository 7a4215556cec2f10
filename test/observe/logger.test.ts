/** The log has one JSON object a line, and no secret in any place of it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createLogger, loadPrettyPrinter } from "../../src/observe/logger.ts";
import { findSecrets } from "../../src/config/secrets.ts";
import { Environment } from "../../src/config/variables.ts";

const secret = 'sk-canary-"0\\123456789';

/** Returns the one line that `log` writes. */
function lineOf(log: (logger: ReturnType<typeof createLogger>) => void, secrets = [secret]): string {
  const lines: string[] = [];
  log(createLogger({ level: "trace", secrets }, { write: (line) => void lines.push(line) }));
  assert.equal(lines.length, 1);
  const [line = ""] = lines;
  assert.equal(line.indexOf("\n"), line.length - 1);
  return line;
}

describe("createLogger", () => {
  test("writes any text unchanged as one line of JSON, ANSI, line breaks and lone surrogates included", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const all = `\u001b[31m\r\n\u2028${text}\u0000\ud800`;
        const { given } = JSON.parse(lineOf((logger) => logger.info({ given: all }, all)));
        assert.equal(given, all);
      }),
    );
    assert.equal(
      JSON.parse(lineOf((logger) => logger.info("x".repeat(1024 * 1024)))).msg.length,
      1024 * 1024,
    );
  });

  test("redacts a secret in a message, a field, a list, an error, its cause, or a child's binding", () => {
    const cause = Object.assign(new Error(`cause ${secret}`), { headers: { authorization: "Basic abc" } });
    const error = Object.assign(new Error(`refused ${secret}`, { cause }), { input: secret, code: "E" });
    for (const line of [
      lineOf((logger) => logger.info(`at ${secret}!`)),
      lineOf((logger) => logger.info({ a: { b: [`x${secret}x`] } }, "deep")),
      lineOf((logger) => logger.error({ err: error }, "failed")),
      lineOf((logger) => logger.error(error)),
      lineOf((logger) => logger.child({ given: secret }).info("child")),
      lineOf((logger) =>
        logger.info({ authorization: "Basic abc", headers: { authorization: "Basic abc" } }),
      ),
      lineOf((logger) => logger.info({ a: [{ Headers: { cookie: "Basic abc" } }] }, "deep")),
    ]) {
      assert.doesNotMatch(line, /sk-canary|0\\\\123456789|Basic abc/);
      JSON.parse(line);
    }
    const { err } = JSON.parse(lineOf((logger) => logger.error({ err: error }, "failed")));
    assert.deepEqual(
      [err.code, err.message, err.cause.message],
      ["E", "refused [redacted]", "cause [redacted]"],
    );
    assert.equal(err.input, undefined);
  });

  test("redacts unknown tokens, keys after Bearer and passwords in URLs by their form", () => {
    const jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxMjMifQ.c2lnbmF0dXJl";
    for (const [given, left] of [
      [`token ${jwt} was wrong`, "token [redacted] was wrong"],
      ["Authorization: Bearer abcdefghijklmnopqrstuvwx", "Authorization: Bearer [redacted]"],
      ["at postgres://me:hunter2@db:5432/x", "at postgres://[redacted]@db:5432/x"],
      ["the Bearer of news at http://a:80/b, x@y.z", "the Bearer of news at http://a:80/b, x@y.z"],
    ] as const)
      assert.equal(JSON.parse(lineOf((logger) => logger.warn(given))).msg, left);
  });

  test("redacts the beginning of a truncated secret, and a secret of digits without changing numbers", () => {
    const cut = lineOf((logger) => logger.warn({ reason: `said: ${secret.slice(0, 14)}`, more: 1 }));
    assert.equal(JSON.parse(cut).reason, "said: [redacted]");
    const line = lineOf(
      (logger) => logger.warn({ count: 1234567890, text: "is 1234567890" }),
      ["1234567890"],
    );
    assert.deepEqual([JSON.parse(line).count, JSON.parse(line).text], [1234567890, "is [redacted]"]);
  });

  test("redacts secrets in pretty lines too, and escapes terminal control characters", async () => {
    const print = await loadPrettyPrinter();
    const lines: string[] = [];
    const options = { level: "trace", secrets: [secret] };
    const logger = createLogger(options, { write: (line) => void lines.push(line) }, print);
    logger.warn({ reason: `said \u001b[2J\r ${secret}` }, "\u001b]0;title\u0007 \u009b2J \u202e \\u001b");
    logger.error({ err: new Error(`refused \u001b[2J ${secret}`) }, "failed");
    assert.equal(lines.length, 2);
    for (const line of lines) {
      assert.match(line, /^\[\d\d:\d\d:\d\d\.\d{3}\] (?:WARN|ERROR): /);
      assert.doesNotMatch(line, /sk-canary/);
      for (const mark of ["\u001b", "\u0007", "\u009b", "\u202e", "\r"])
        assert.ok(!line.includes(mark), line);
    }
    assert.match(lines[0] ?? "", /\\u001b\]0;title\\u0007 \\u009b2J \\u202e \\u001b .*\[redacted\]/);
    assert.match(lines[1] ?? "", /Error: refused \\u001b\[2J \[redacted\]\n +at /);
  });

  test("finds every key, and the passwords in URLs both encoded and decoded", () => {
    const secrets = findSecrets(
      Environment.parse({
        OPENAI_API_KEY: "model",
        AZURE_OPENAI_API_KEY: "azure",
        SUPABASE_SERVICE_ROLE_KEY: "service",
        SUPABASE_ANON_KEY: "anonymous",
        SUPABASE_JWT_SECRET: "j".repeat(32),
        API_KEYS: `${"k".repeat(24)},${"l".repeat(24)}`,
        DATABASE_URL: "postgres://me:p%40ss@db/x",
        OPENAI_BASE_URL: "http://me:base@model/v1",
      }),
    );
    const all = ["model", "azure", "service", "anonymous", "j".repeat(32), "k".repeat(24), "l".repeat(24)];
    for (const one of [...all, "postgres://me:p%40ss@db/x", "p%40ss", "p@ss", "base"])
      assert.ok(secrets.includes(one), one);
  });
});
