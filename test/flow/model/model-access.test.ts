/** Models that only some callers may use, on every wire. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { IdentityProvider } from "../../support/apps/identity-provider.ts";
import { codeOf } from "../../support/apps/keyed-server.ts";
import type { RunningApp } from "../../support/apps/start-app.ts";
import { useApp, useResource } from "../../support/apps/use-app.ts";
import { useTwoModels } from "../../support/apps/use-two-models.ts";

const [web, mobile, batch] = ["w".repeat(24), "m".repeat(24), "b".repeat(24)] as const;
const userId = "4d1f8a0e-0000-4000-8000-00000000000a";
const strangerId = "4d1f8a0e-0000-4000-8000-00000000000b";
const hello = { messages: [{ sender: "user", text: "Hi" }] };
const completion = { messages: [{ role: "user", content: "Hi" }] };

async function listModels(
  app: RunningApp,
  query: string,
  headers: Record<string, string>,
): Promise<string[]> {
  const { body } = await app.get(`/v1/models${query}`, headers);
  const { data } = z.object({ data: z.array(z.object({ id: z.string() })) }).parse(JSON.parse(body));
  return data.map(({ id }) => id).filter((id) => !id.endsWith("+plan"));
}

describe("a model for some users and API keys", { timeout: 120_000 }, () => {
  const models = useTwoModels({
    fast: { users: [userId], keys: ["web"] },
    slow: { keys: ["web", "mobile"] },
  });
  const keys = { AUTH: "keys", API_KEYS: `web:${web},mobile:${mobile},batch:${batch}` };
  const app = useApp(models.fast, () => ({ ...models.variables, ...keys }));
  const by = (key: string) => ({ authorization: `Bearer ${key}` });

  test("is listed and used only if one of its lists names the key, or the user of the key", async () => {
    for (const [key, user, names] of [
      [web, undefined, ["fast", "slow"]],
      [web, strangerId, ["fast", "slow"]],
      [mobile, strangerId, ["slow"]],
      [mobile, userId, ["fast", "slow"]],
      [batch, userId, ["fast"]],
      [batch, userId.toUpperCase(), ["fast"]],
      [batch, strangerId, []],
      [batch, undefined, []],
    ] as const) {
      const query = user === undefined ? "" : `?userId=${user}`;
      assert.deepEqual(await listModels(app, query, by(key)), names);
      for (const name of ["fast", "slow"]) {
        const isOpen = names.some((open) => open === name);
        const status = isOpen ? 200 : 404;
        const chat = await app.post("/stream-chat", { ...hello, model: name, userId: user }, by(key));
        assert.equal(chat.status, status, `${key} ${user} ${name}`);
        if (!isOpen) assert.equal(codeOf(chat), "model_not_found");
        for (const model of [name, `${name}+plan`]) {
          const sent = { ...completion, model, ...(user !== undefined && { user }) };
          assert.equal((await app.post("/v1/chat/completions", sent, by(key))).status, status);
          const one = await app.get(`/v1/models/${encodeURIComponent(model)}${query}`, by(key));
          assert.equal(one.status, status);
        }
      }
    }
  });

  test("is not named to a caller who may not use it", async () => {
    const refused = await app.post("/stream-chat", { ...hello, model: "fast" }, by(mobile));
    const unknown = await app.post("/stream-chat", { ...hello, model: "gone" }, by(mobile));
    const toDetail = (body: string) => z.object({ detail: z.string() }).parse(JSON.parse(body)).detail;
    assert.equal(toDetail(refused.body), 'model: "fast" does not exist; use slow');
    assert.equal(toDetail(unknown.body), 'model: "gone" does not exist; use slow');
  });

  test("leaves a caller the first of the other models as the default, or none at all", async () => {
    models.fast.calls.length = 0;
    models.slow.calls.length = 0;
    assert.equal((await app.post("/stream-chat", hello, by(mobile))).status, 200);
    assert.deepEqual([models.fast.calls.length, models.slow.calls.length], [0, 1]);
    const none = await app.post("/stream-chat", hello, by(batch));
    assert.deepEqual([none.status, codeOf(none)], [404, "model_not_found"]);
    assert.match(none.body, /no model of this server is open to you/);
  });
});

describe("a model for some, with access tokens", () => {
  const models = useTwoModels({ fast: { users: [userId] } });
  let provider: IdentityProvider | undefined;
  useResource(async (closing) => {
    provider = closing.adopt(await IdentityProvider.start(), (started) => started.close());
  });
  const app = useApp(models.fast, () => ({
    ...models.variables,
    AUTH: "supabase",
    SUPABASE_URL: provider?.url ?? "",
  }));

  test("is open to the user that the token proves, and to no other", async () => {
    for (const [id, status] of [
      [userId, 200],
      [strangerId, 404],
    ] as const) {
      const token = await provider?.sign(provider.claimsOf(id, new Date()));
      const headers = { authorization: `Bearer ${token}` };
      const named = await app.post("/stream-chat", { ...hello, model: "fast" }, headers);
      assert.equal(named.status, status);
      // On this wire `user` may be any name, which is no proof beside a token.
      const sent = { ...completion, model: "fast", user: "someone" };
      assert.equal((await app.post("/v1/chat/completions", sent, headers)).status, status);
      const other = { ...hello, model: "fast", userId: id === userId ? strangerId : userId };
      assert.equal(codeOf(await app.post("/stream-chat", other, headers)), "user_mismatch");
    }
  });
});

describe("a model for some, without authentication", () => {
  const models = useTwoModels({ fast: { users: [userId] } });
  const app = useApp(models.fast, () => models.variables);

  test("is refused to a user who is only named", async () => {
    const named = { userId, model: "fast" };
    assert.equal(codeOf(await app.chat("Hi", named)), "model_not_found");
    assert.equal((await app.chat("Hi", { userId })).status, 200);
    assert.deepEqual([models.fast.calls.length, models.slow.calls.length], [0, 1]);
    assert.deepEqual(await listModels(app, `?userId=${userId}`, {}), ["slow"]);
  });
});
