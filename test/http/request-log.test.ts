/** The log lines of requests: their ids, client addresses and turns, and the contents that are left out. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConfigError, parseConfig } from "../../src/config/config.ts";
import { ScriptedModel } from "../support/model/scripted-model.ts";
import { startApp, type RunningApp } from "../support/apps/start-app.ts";

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Runs `use` with an app that logs at level debug. */
async function withApp(
  variables: Record<string, string>,
  use: (app: RunningApp, model: ScriptedModel) => Promise<void>,
): Promise<void> {
  const model = await ScriptedModel.start();
  const app = await startApp({
    LOG_LEVEL: "trace",
    OPENAI_BASE_URL: model.url,
    OPENAI_MODEL: "scripted",
    ...variables,
  });
  try {
    await use(app, model);
  } finally {
    await app.close();
    await model.close();
  }
}

async function findAddress(variables: Record<string, string>, forwarded: string): Promise<unknown> {
  let ip: unknown;
  await withApp(variables, async (app) => {
    await app.get("/healthz", { "x-forwarded-for": forwarded });
    ({ ip } = await app.logged(({ msg }) => msg === "request"));
  });
  return ip;
}

describe("the log", { timeout: 60_000 }, () => {
  test("names each request by an id of the server, never the client's, with its turn", async () => {
    await withApp({}, async (app) => {
      const given = { "x-request-id": "theirs", "request-id": "theirs" };
      const { headers } = await app.post(
        "/stream-chat",
        { messages: [{ sender: "user", text: "Hi" }] },
        given,
      );
      const line = await app.logged(({ msg }) => msg === "request");
      assert.match(String(line["requestId"]), uuid);
      assert.equal(line["turnId"], headers["x-turn-id"]);
      const turn = await app.logged(({ msg }) => msg === "turn");
      assert.deepEqual([turn["requestId"], turn["turnId"]], [line["requestId"], line["turnId"]]);
      assert.deepEqual([line["route"], line["status"], line["ip"]], ["/stream-chat", 200, "127.0.0.1"]);
    });
  });

  test("holds no content of requests and replies, unless LOG_CONTENT is on, and then 1,000 characters of each", async () => {
    const question = `\u001b[31mcanary\r\n{"level":60}${"q".repeat(1024 * 1024 - 100)}`;
    for (const logs of ["false", "true"])
      await withApp({ LOG_CONTENT: logs }, async (app, model) => {
        model.say("- p\n---RESPONSE---\n", "canary ".repeat(1_000));
        assert.equal((await app.chat(question)).status, 200);
        const turn = await app.logged(({ msg }) => msg === "turn");
        if (logs === "false") return assert.doesNotMatch(JSON.stringify(app.logs), /canary/);
        assert.equal(turn["question"], question.slice(0, 1_000));
        assert.equal(turn["answer"], "canary ".repeat(1_000).slice(0, 1_000));
      });
  });

  test("is not corrupted by control characters in a head", async () => {
    await withApp({}, async (app) => {
      await app.get("/healthz?%0d%0a%1b[31m", {
        "user-agent": `\t${"x".repeat(10_000)}`,
        "x-forwarded-for": "\u00ff",
      });
      const { ip } = await app.logged(({ msg }) => msg === "request");
      assert.equal(ip, "127.0.0.1");
    });
  });
});

describe("TRUST_PROXY", { timeout: 60_000 }, () => {
  test("is off by default: a client cannot choose its address", async () => {
    assert.equal(await findAddress({}, "6.6.6.6"), "127.0.0.1");
  });

  test("trusts listed proxies, and no client that only names one", async () => {
    assert.equal(await findAddress({ TRUST_PROXY: "127.0.0.1" }, "6.6.6.6, 1.2.3.4"), "1.2.3.4");
    assert.equal(await findAddress({ TRUST_PROXY: "127.0.0.0/8, 1.2.3.4" }, "6.6.6.6, 1.2.3.4"), "6.6.6.6");
    assert.equal(await findAddress({ TRUST_PROXY: "10.0.0.0/8,fd00::/8" }, "6.6.6.6"), "127.0.0.1");
  });

  test("accepts neither true, nor a count, nor a name, nor a range of everything", () => {
    for (const value of [
      "true",
      "1",
      "loopback",
      "0.0.0.0/0",
      "::/0",
      "10.0.0.0/33",
      "10.0.0.1,",
      "10.0.0.0/8/8",
    ])
      assert.throws(
        () => parseConfig({ TRUST_PROXY: value }),
        (error) =>
          error instanceof ConfigError && error.problems[0]?.startsWith("TRUST_PROXY must be") === true,
        value,
      );
    assert.deepEqual(parseConfig({ TRUST_PROXY: "10.0.0.7 , fd00::/8" }).app.trustedProxies, [
      "10.0.0.7",
      "fd00::/8",
    ]);
  });
});
