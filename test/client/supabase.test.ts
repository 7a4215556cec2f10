/** The Supabase helper: supabase-js itself, its identity provider, and a server with `AUTH=supabase`. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { beforeEach, describe, test } from "node:test";
import { createClient as createSupabase } from "@supabase/supabase-js";
import { createClient, type ForewordClient } from "../../packages/foreword-client/src/client.ts";
import { supabaseAuth } from "../../packages/foreword-client/src/supabase/supabase.ts";
import { IdentityProvider } from "../support/apps/identity-provider.ts";
import { useApp, useModel, useResource } from "../support/apps/use-app.ts";
import { closeServer, listen } from "../support/network/local-port.ts";

describe("a client with the session of supabase-js", { timeout: 60_000 }, () => {
  const userId = randomUUID();
  const model = useModel();
  let provider: IdentityProvider;
  let authUrl = "";
  /** Responses to the next refreshes: tokens, or statuses of errors. The last one serves all others too. */
  let answers: readonly (string | number)[] = [];
  let refreshes = 0;
  useResource(async (closing) => {
    provider = closing.adopt(await IdentityProvider.start(), (started) => started.close());
    const server = createServer((request, response) => {
      request.resume();
      const answer = answers[Math.min(refreshes, answers.length - 1)] ?? 500;
      refreshes += 1;
      const [status, body] =
        typeof answer === "number"
          ? [answer, { code: "refresh_token_not_found", message: "Invalid Refresh Token" }]
          : [200, toSession(answer)];
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
    authUrl = `http://127.0.0.1:${await listen(server)}`;
    closing.defer(() => closeServer(server));
  });
  const app = useApp(model, () => ({
    AUTH: "supabase",
    SUPABASE_URL: provider.url,
    CHAT_STORE_ENABLED: "true",
    DATABASE_URL: "",
  }));

  function toSession(token: string, expiresInSeconds = 3_600): object {
    return {
      access_token: token,
      refresh_token: "refresh",
      token_type: "bearer",
      expires_in: expiresInSeconds,
      expires_at: Math.floor(Date.now() / 1_000) + expiresInSeconds,
      user: { id: userId, aud: "authenticated", app_metadata: {}, user_metadata: {}, created_at: "" },
    };
  }

  /** Returns a good token, each time another one. */
  const sign = async (): Promise<string> =>
    await provider.sign({ ...provider.claimsOf(userId, new Date()), jti: randomUUID() });

  /** Returns the client of a browser whose storage holds `session`. */
  function connect(session: object | undefined): ForewordClient {
    const items = new Map(session === undefined ? [] : [["session", JSON.stringify(session)]]);
    const storage = {
      getItem: (key: string) => items.get(key) ?? null,
      setItem: (key: string, value: string) => void items.set(key, value),
      removeItem: (key: string) => void items.delete(key),
    };
    const auth = { storage, storageKey: "session", autoRefreshToken: false };
    const supabase = createSupabase(authUrl, "publishable-key", { auth });
    return createClient({
      baseUrl: app.url,
      ...supabaseAuth(supabase),
      retry: { maxRetries: 1, firstDelayMs: 1 },
    });
  }

  beforeEach(() => {
    refreshes = 0;
    answers = [500];
    model.say("- a\n---RESPONSE---\nHi.");
  });

  const hello = { messages: [{ sender: "user", text: "Hello" }] } as const;

  test("sends its token, and starts turns of its user", async () => {
    const client = connect(toSession(await sign()));
    const { answer, conversationId } = await client.start(hello).reply();
    assert.equal(answer, "Hi.");
    const { conversations } = await client.conversations.list();
    assert.ok(conversations.some(({ id }) => id === conversationId));
    assert.equal(refreshes, 0);
  });

  test("refreshes a token that has expired before it sends it", async () => {
    answers = [await sign()];
    const client = connect(toSession(await sign(), 0));
    assert.equal((await client.start(hello).reply()).answer, "Hi.");
    assert.equal(refreshes, 1);
  });

  test("refreshes a refused token once, for all requests of that time, and sends them again", async () => {
    answers = [await sign()];
    const client = connect(toSession("refused"));
    const replies = await Promise.all([client.start(hello).reply(), client.start(hello).reply()]);
    assert.deepEqual(
      replies.map(({ answer }) => answer),
      ["Hi.", "Hi."],
    );
    await client.conversations.list();
    assert.equal(refreshes, 1);
  });

  test("gives up if the refreshed token is refused, too, and does not refresh that one again", async () => {
    answers = ["refused, too"];
    const client = connect(toSession("refused"));
    for (let attempt = 0; attempt < 3; attempt += 1)
      await assert.rejects(client.conversations.list(), { code: "unauthenticated", status: 401 });
    assert.equal(refreshes, 1);
  });

  test("throws the server's error if there is no session, or none any longer", async () => {
    await assert.rejects(connect(undefined).start(hello).reply(), { code: "unauthenticated" });
    assert.equal(refreshes, 0);
    answers = [400];
    const client = connect(toSession("refused"));
    await assert.rejects(client.conversations.list(), { code: "unauthenticated" });
    await assert.rejects(client.conversations.list(), { code: "unauthenticated" });
    assert.equal(refreshes, 1);
  });

  test("sends the token that another tab has refreshed at the same time", async () => {
    const fresh = await sign();
    let current = "refused";
    const toResult = (token: string | undefined) => ({
      data: { session: token === undefined ? null : { access_token: token } },
      error: token === undefined ? { name: "AuthRefreshDiscardedError" } : null,
    });
    const supabase = {
      auth: {
        getSession: async () => toResult(current),
        refreshSession: async () => {
          current = fresh;
          return toResult(undefined);
        },
      },
    };
    const client = createClient({ baseUrl: app.url, ...supabaseAuth(supabase) });
    assert.equal((await client.start(hello).reply()).answer, "Hi.");
  });

  test("ends with the signal of a request while a session is refreshed", async () => {
    const supabase = {
      auth: {
        getSession: async () => ({ data: { session: { access_token: "refused" } }, error: null }),
        refreshSession: async () => await new Promise<never>(() => {}),
      },
    };
    const client = createClient({ baseUrl: app.url, ...supabaseAuth(supabase) });
    const controller = new AbortController();
    const listing = client.conversations.list({ signal: controller.signal });
    setImmediate(() => controller.abort(new Error("left")));
    await assert.rejects(listing, { message: "left" });
  });
});
