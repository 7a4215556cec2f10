/** The limits of one process: which subject is counted, how large a request may be, and when they are off. */
import assert from "node:assert/strict";
import { makePng } from "../support/clients/file-client.ts";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { parseConfig } from "../../src/config/config.ts";
import { IdentityProvider } from "../support/apps/identity-provider.ts";
import { findFreePort } from "../support/network/local-port.ts";
import { ManualClock } from "../support/manual-clock.ts";
import {
  openTurn,
  readResponse,
  startApp,
  type AppResponse,
  type RunningApp,
} from "../support/apps/start-app.ts";
import { ScriptedModel } from "../support/model/scripted-model.ts";

const Problem = z.object({ code: z.string(), detail: z.string() });

function problemOf({ status, body }: AppResponse): [number, string, string] {
  const { code, detail } = Problem.parse(JSON.parse(body));
  return [status, code, detail];
}

/** Requests the list of models `times` times; returns the statuses. */
async function askOften(
  app: RunningApp,
  times: number,
  headers: (index: number) => Record<string, string>,
): Promise<number[]> {
  const statuses: number[] = [];
  for (let index = 0; index < times; index += 1)
    statuses.push((await app.get("/v1/models", headers(index))).status);
  return statuses;
}

async function withApp(
  variables: Record<string, string>,
  work: (app: RunningApp) => Promise<void>,
  clock?: ManualClock,
): Promise<void> {
  const app = await startApp(variables, clock);
  try {
    await work(app);
  } finally {
    await app.close();
  }
}

describe("the limit of requests", { timeout: 60_000 }, () => {
  test("is off with AUTH=none unless it is set: all users behind one proxy would share it", async () => {
    const limitsOf = (variables: Record<string, string>): unknown => {
      const { requestsPerMinute, concurrentTurns, tokensPerDay } = parseConfig(variables).app.limits;
      return [requestsPerMinute, concurrentTurns, tokensPerDay];
    };
    assert.deepEqual(limitsOf({}), [undefined, undefined, undefined]);
    const known = { AUTH: "keys", API_KEYS: "x".repeat(24) };
    assert.deepEqual(limitsOf(known), [120, 3, undefined]);
    assert.deepEqual(limitsOf({ ...known, LIMIT_REQUESTS_PER_MINUTE: "0" }), [undefined, 3, undefined]);
    assert.deepEqual(limitsOf({ LIMIT_REQUESTS_PER_MINUTE: "7" }), [7, undefined, undefined]);
    await withApp({}, async (app) => {
      assert.equal((await app.get("/v1/models")).headers["ratelimit"], undefined);
    });
  });

  test("counts by address without authentication, whatever user the payload names; the minute starts with the first request", async () => {
    const clock = new ManualClock();
    await withApp(
      { LIMIT_REQUESTS_PER_MINUTE: "3" },
      async (app) => {
        const statuses: number[] = [];
        for (let index = 0; index < 5; index += 1)
          statuses.push((await app.get(`/turns/${randomUUID()}?userId=${randomUUID()}`)).status);
        assert.deepEqual(statuses, [404, 404, 404, 429, 429]);
        clock.advance(20_000);
        const refused = await app.get("/v1/models");
        assert.equal(refused.headers["retry-after"], "40");
        assert.equal(refused.headers["ratelimit"], '"requests";r=0;t=40');
        clock.advance(40_000);
        const first = await app.get("/v1/models");
        assert.deepEqual([first.status, first.headers["ratelimit"]], [200, '"requests";r=2;t=60']);
        for (const path of ["/healthz", "/readyz"])
          for (let index = 0; index < 5; index += 1) assert.equal((await app.get(path)).status, 200);
      },
      clock,
    );
  });

  test("ignores X-Forwarded-For except from listed proxies, and counts IPv6 addresses by their first 64 bits", async () => {
    await withApp({ LIMIT_REQUESTS_PER_MINUTE: "2" }, async (app) => {
      const forged = (index: number) => ({ "x-forwarded-for": `203.0.113.${index}` });
      assert.deepEqual(await askOften(app, 3, forged), [200, 200, 429]);
    });
    await withApp({ LIMIT_REQUESTS_PER_MINUTE: "2", TRUST_PROXY: "127.0.0.1" }, async (app) => {
      const named = (index: number) => ({ "x-forwarded-for": `203.0.113.${index}` });
      assert.deepEqual(await askOften(app, 3, named), [200, 200, 200]);
      const spoken = (index: number) => ({ "x-forwarded-for": `2001:db8:0:7::${(index + 1).toString(16)}` });
      assert.deepEqual(await askOften(app, 3, spoken), [200, 200, 429]);
      const whole = () => ({ "x-forwarded-for": "2001:db8:0:7:1:2:3:4" });
      assert.deepEqual(await askOften(app, 1, whole), [429], "another address of the same network");
      const next = () => ({ "x-forwarded-for": "2001:db8:0:8::1" });
      assert.deepEqual(await askOften(app, 1, next), [200]);
      const mapped = (index: number) => ({
        "x-forwarded-for": index % 2 === 0 ? "198.51.100.7" : "::ffff:198.51.100.7",
      });
      assert.deepEqual(await askOften(app, 3, mapped), [200, 200, 429]);
      for (const host of ["192.0.2.1", "[2001:db8:0:9::1]"]) {
        const withPort = (index: number) => ({ "x-forwarded-for": `${host}:${40_000 + index}` });
        assert.deepEqual(await askOften(app, 3, withPort), [200, 200, 429], "a port is no other client");
      }
    });
  });

  test("counts by the user of the token, from any address, before the body is read", async () => {
    const provider = await IdentityProvider.start();
    const [alice, bob] = [randomUUID(), randomUUID()];
    const tokenOf = async (user: string) => ({
      authorization: `Bearer ${await provider.sign(provider.claimsOf(user, new Date()))}`,
    });
    await withApp(
      {
        AUTH: "supabase",
        SUPABASE_URL: provider.url,
        LIMIT_REQUESTS_PER_MINUTE: "2",
        TRUST_PROXY: "127.0.0.1",
      },
      async (app) => {
        const [ofAlice, ofBob] = [await tokenOf(alice), await tokenOf(bob)];
        const from = (index: number) => ({ ...ofAlice, "x-forwarded-for": `203.0.113.${index}` });
        assert.deepEqual(await askOften(app, 3, from), [200, 200, 429]);
        assert.deepEqual(await askOften(app, 1, () => ofBob), [200]);
        const headers = { ...ofAlice, "content-length": "1000000" };
        const refused = await readResponse(await app.open("POST", "/stream-chat", "{", headers));
        assert.deepEqual(problemOf(refused).slice(0, 2), [429, "rate_limited"]);
      },
    );
    await provider.close();
  });

  test("counts in this process alone while the database is unavailable, and calls it at most ten times a minute", async () => {
    const url = `postgres://u:p@127.0.0.1:${await findFreePort()}/x`;
    const variables = { CHAT_STORE_ENABLED: "true", DATABASE_URL: url, LIMIT_REQUESTS_PER_MINUTE: "3" };
    await withApp(variables, async (app) => {
      assert.deepEqual(await askOften(app, 5, () => ({})), [200, 200, 200, 429, 429]);
      // Its key may belong to an earlier turn, which cannot be looked up now: it starts none.
      const messages = [{ sender: "user", text: "Hi" }];
      const keyed = await app.post("/stream-chat", { messages }, { "idempotency-key": randomUUID() });
      assert.equal(keyed.status, 503);
    });
  });
});

describe("the limit of concurrent turns", { timeout: 60_000 }, () => {
  test("holds without a database, by address if there is no authentication", async () => {
    const model = await ScriptedModel.start();
    const variables = { OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted", LIMIT_CONCURRENT_TURNS: "1" };
    await withApp(variables, async (app) => {
      const { call, opening } = await openTurn(app, model);
      const [status, code] = problemOf(await app.chat("Hi", { userId: randomUUID() }));
      assert.deepEqual([status, code, model.calls.length], [429, "too_many_turns", 1]);
      call.text("- p\n---RESPONSE---\nHello.").finish();
      await readResponse(await opening);
      model.say("- p\n---RESPONSE---\nHello.");
      assert.equal((await app.chat("Hi")).status, 200);
    });
    await model.close();
  });
});

describe("the limit of tokens", { timeout: 60_000 }, () => {
  test("applies to authenticated users only, since any number of people may share an address", async () => {
    await withApp({ LIMIT_TOKENS_PER_DAY: "1", LIMIT_CONCURRENT_TURNS: "5" }, async (app) => {
      assert.equal((await app.chat("Hi", { userId: randomUUID() })).status, 200);
    });
  });
});

describe("the size limits of a request", { timeout: 60_000 }, () => {
  const image = (bytes: number): object => ({
    inlineData: { mimeType: "image/png", data: makePng("", bytes).data },
  });
  const user = (text: string, images: readonly object[] = []): object => ({ sender: "user", text, images });

  test("are as configured: messages, a user's text, an image, the body; the error names the field that is too large", async () => {
    const limits = { LIMIT_MESSAGES: "3", LIMIT_MESSAGE_KIB: "1", LIMIT_IMAGE_MIB: "1", LIMIT_BODY_MIB: "3" };
    await withApp(limits, async (app) => {
      const three = [user("a"), { sender: "assistant", text: "x".repeat(2000) }, user("ä".repeat(512))];
      const ask = async (messages: readonly object[]): Promise<AppResponse> =>
        await app.post("/stream-chat", { messages });
      assert.equal((await ask(three)).status, 200);
      assert.equal((await ask([user("a", [image(1024 * 1024)])])).status, 200);
      const code = "message_too_large";
      const count = problemOf(await ask([user("z"), ...three]));
      assert.deepEqual(count, [400, "invalid_request", "messages: must be at most 3"]);
      assert.deepEqual(problemOf(await ask([user("a"), user(`${"ä".repeat(512)}x`)])), [
        413,
        code,
        "messages[1]: must be at most 1 KiB of text",
      ]);
      assert.deepEqual(problemOf(await ask([user("a", [image(1), image(1024 * 1024 + 3)])])), [
        413,
        code,
        "messages[0]: an image must be at most 1 MiB",
      ]);
      const large = await app.post("/stream-chat", " ".repeat(3 * 1024 * 1024 + 1));
      assert.deepEqual(problemOf(large), [413, "body_too_large", "The body is larger than 3 MiB."]);
      const completion = {
        model: "demo",
        messages: three.map(() => ({ role: "user", content: "x".repeat(1025) })),
      };
      assert.equal((await app.post("/v1/chat/completions", completion)).status, 413);
      const parts = [{ type: "text", text: "x".repeat(1025) }];
      assert.equal(
        (await app.post("/api/chat", { id: "c", messages: [{ role: "user", parts }] })).status,
        413,
      );
    });
  });
});
