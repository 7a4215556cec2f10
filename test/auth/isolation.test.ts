/** Isolation of users: every route as owner, as another user, without credentials, with an expired token. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { IdentityProvider } from "../support/apps/identity-provider.ts";
import { listRoutes } from "../support/apps/list-routes.ts";
import { readMessages } from "../support/databases/read-rows.ts";
import { makePng, toImageMessage } from "../support/clients/file-client.ts";
import { ScriptedModel } from "../support/model/scripted-model.ts";
import { readResponse, startApp, type AppResponse, type RunningApp } from "../support/apps/start-app.ts";
import { startPglite, type StoreHarness } from "../support/databases/store-harness.ts";

/** The owner and the owner's data. */
interface World {
  readonly turnId: string;
  readonly conversationId: string;
  readonly userId: string;
  readonly fileId: string;
  readonly documentId: string;
}

/** A request for the owner's data. */
interface Attempt {
  readonly path: string;
  readonly body?: object;
  /** The status for another user, to whom the owner's data does not exist. */
  readonly foreign: number;
  /** The owner's status, if it is not 200 or 204. */
  readonly own?: number;
}

const chat = { messages: [{ sender: "user", text: "Hi" }] };
const uiMessages = [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }];
const completion = { model: "scripted", messages: [{ role: "user", content: "Hi" }] };

/** Every route. A new route that is not listed fails the test below. */
const routes: Readonly<Record<string, ((world: World) => Attempt) | "open">> = {
  "GET /healthz": "open",
  "GET /readyz": "open",
  "GET /openapi.json": "open",
  "GET /docs": "open",
  "GET /": "open",
  "GET /assets/:name": "open",
  "POST /stream-chat": ({ conversationId }) => ({
    path: "/stream-chat",
    body: { ...chat, conversationId },
    foreign: 404,
  }),
  "GET /turns/:turnId": ({ turnId }) => ({ path: `/turns/${turnId}`, foreign: 404 }),
  "GET /turns/:turnId/stream": ({ turnId }) => ({ path: `/turns/${turnId}/stream`, foreign: 404 }),
  "POST /turns/:turnId/stop": ({ turnId }) => ({ path: `/turns/${turnId}/stop`, body: {}, foreign: 404 }),
  "POST /turns/:turnId/approvals": ({ turnId }) => ({
    path: `/turns/${turnId}/approvals`,
    body: { approvals: [{ approvalId: "a", approved: true }] },
    foreign: 404,
    own: 404, // it has not asked for this approval
  }),
  "POST /api/chat": ({ conversationId }) => ({
    path: "/api/chat",
    body: { id: conversationId, messages: uiMessages },
    foreign: 404,
  }),
  "GET /api/chat/:id": ({ conversationId }) => ({ path: `/api/chat/${conversationId}`, foreign: 200 }),
  "GET /api/chat/:id/stream": ({ conversationId }) => ({
    path: `/api/chat/${conversationId}/stream`,
    foreign: 204,
  }),
  "POST /api/chat/:id/stop": ({ conversationId }) => ({
    path: `/api/chat/${conversationId}/stop`,
    body: {},
    foreign: 204,
  }),
  "POST /ag-ui": ({ conversationId: threadId }) => ({
    path: "/ag-ui",
    body: { threadId, runId: randomUUID(), messages: [{ id: "m", role: "user", content: "Hi" }] },
    foreign: 404,
  }),
  "GET /ag-ui": ({ turnId }) => ({ path: `/ag-ui?runId=${turnId}`, foreign: 404 }),
  "POST /ag-ui/stop": ({ turnId }) => ({ path: `/ag-ui/stop?runId=${turnId}`, body: {}, foreign: 404 }),
  "GET /v1/models": () => ({ path: "/v1/models", foreign: 200 }),
  "GET /v1/models/:model": () => ({ path: "/v1/models/scripted", foreign: 200 }),
  "GET /conversations": () => ({ path: "/conversations?query=canary", foreign: 200 }),
  "POST /conversations": ({ conversationId: id }) => ({
    path: "/conversations",
    body: { id },
    foreign: 409,
    own: 409,
  }),
  "DELETE /conversations": () => ({ path: "/conversations", foreign: 200 }),
  "GET /conversations/:id": ({ conversationId: id }) => ({ path: `/conversations/${id}`, foreign: 404 }),
  "PATCH /conversations/:id": ({ conversationId: id }) => ({
    path: `/conversations/${id}`,
    body: { title: "New" },
    foreign: 404,
  }),
  "DELETE /conversations/:id": ({ conversationId: id }) => ({ path: `/conversations/${id}`, foreign: 404 }),
  "GET /conversations/:id/messages": ({ conversationId: id }) => ({
    path: `/conversations/${id}/messages`,
    foreign: 404,
  }),
  "GET /conversations/:id/export": ({ conversationId: id }) => ({
    path: `/conversations/${id}/export`,
    foreign: 404,
  }),
  "GET /files/:id": ({ fileId }) => ({ path: `/files/${fileId}`, foreign: 404 }),
  "GET /knowledge-bases": () => ({ path: "/knowledge-bases", foreign: 200 }),
  "DELETE /knowledge-bases/:name": ({ userId }) => ({ path: `/knowledge-bases/${userId}`, foreign: 404 }),
  "POST /knowledge-bases/:name/documents": () => ({
    path: "/knowledge-bases/own/documents",
    body: { text: "Hi" },
    foreign: 202, // into a base of their own
    own: 202,
  }),
  "GET /knowledge-bases/:name/documents": ({ userId }) => ({
    path: `/knowledge-bases/${userId}/documents`,
    foreign: 404,
  }),
  "GET /documents/:id": ({ documentId }) => ({ path: `/documents/${documentId}`, foreign: 404 }),
  "GET /documents/:id/text": ({ documentId }) => ({ path: `/documents/${documentId}/text`, foreign: 404 }),
  "GET /documents/:id/original": ({ documentId }) => ({
    path: `/documents/${documentId}/original`,
    foreign: 404,
  }),
  "DELETE /documents/:id": ({ documentId }) => ({ path: `/documents/${documentId}`, foreign: 404 }),
  "GET /usage": () => ({ path: "/usage", foreign: 200 }),
  "POST /v1/responses": ({ turnId }) => ({
    path: "/v1/responses",
    body: { model: "scripted", input: "Hi", previous_response_id: `resp_${turnId}` },
    foreign: 400,
  }),
  "GET /v1/responses/:id": ({ turnId }) => ({ path: `/v1/responses/resp_${turnId}`, foreign: 404 }),
  "POST /v1/responses/:id/cancel": ({ turnId }) => ({
    path: `/v1/responses/resp_${turnId}/cancel`,
    body: {},
    foreign: 404,
  }),
  "DELETE /v1/responses/:id": ({ turnId }) => ({ path: `/v1/responses/resp_${turnId}`, foreign: 404 }),
  "GET /v1/responses/:id/input_items": ({ turnId }) => ({
    path: `/v1/responses/resp_${turnId}/input_items`,
    foreign: 404,
  }),
  "POST /v1/conversations": () => ({ path: "/v1/conversations", body: {}, foreign: 200 }),
  "GET /v1/conversations/:id": ({ conversationId: id }) => ({
    path: `/v1/conversations/conv_${id}`,
    foreign: 404,
  }),
  "POST /v1/conversations/:id": ({ conversationId: id }) => ({
    path: `/v1/conversations/conv_${id}`,
    body: { metadata: { topic: "new" } },
    foreign: 404,
  }),
  "DELETE /v1/conversations/:id": ({ conversationId: id }) => ({
    path: `/v1/conversations/conv_${id}`,
    foreign: 404,
  }),
  "GET /v1/conversations/:id/items": ({ conversationId: id }) => ({
    path: `/v1/conversations/conv_${id}/items`,
    foreign: 404,
  }),
  "POST /v1/conversations/:id/items": ({ conversationId: id }) => ({
    path: `/v1/conversations/conv_${id}/items`,
    body: { items: [{ role: "user", content: "Hi" }] },
    foreign: 404,
  }),
  "GET /v1/conversations/:id/items/:itemId": ({ conversationId: id, turnId }) => ({
    path: `/v1/conversations/conv_${id}/items/msg_${turnId}`,
    foreign: 404,
  }),
  "DELETE /v1/conversations/:id/items/:itemId": ({ conversationId: id, turnId }) => ({
    path: `/v1/conversations/conv_${id}/items/msg_${turnId}`,
    foreign: 404,
  }),
  "POST /v1/chat/completions": () => ({ path: "/v1/chat/completions", body: completion, foreign: 200 }),
};

describe("with AUTH=supabase", { timeout: 120_000 }, () => {
  let harness: StoreHarness;
  let provider: IdentityProvider;
  let model: ScriptedModel;
  let app: RunningApp;
  const canary = `canary ${randomUUID()}`;
  const stranger = randomUUID();

  before(async () => {
    [harness, provider, model] = await Promise.all([
      startPglite(),
      IdentityProvider.start(),
      ScriptedModel.start(),
    ]);
    app = await startApp({
      AUTH: "supabase",
      SUPABASE_URL: provider.url,
      CHAT_STORE_ENABLED: "true",
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted",
      ...harness.variables,
    });
  });
  after(async () => {
    await app.close();
    await model.close();
    await provider.close();
    await harness.stop();
  });

  /** Creates a user with a conversation of one turn. */
  async function makeWorld(): Promise<World> {
    const userId = randomUUID();
    model.say(`- p\n---RESPONSE---\n${canary}`);
    const body = { messages: [toImageMessage("Hi", makePng("canary"))] };
    const answer = await ask("POST", { path: "/stream-chat", body, foreign: 404 }, userId);
    assert.equal(answer.status, 200);
    model.say("- p\n---RESPONSE---\nOther.");
    const conversationId = String(answer.headers["x-conversation-id"]);
    const page = await ask(
      "GET",
      { path: `/conversations/${conversationId}/messages`, foreign: 404 },
      userId,
    );
    const [, fileId = ""] = /"url":"\/files\/([^"]+)"/.exec(page.body) ?? [];
    const added = await ask(
      "POST",
      { path: `/knowledge-bases/${userId}/documents`, body: { text: canary }, foreign: 202 },
      userId,
    );
    const [, documentId = ""] = /^\/documents\/(.+)$/.exec(String(added.headers["location"])) ?? [];
    return { userId, turnId: String(answer.headers["x-turn-id"]), conversationId, fileId, documentId };
  }

  async function tokenOf(userId: string, expired = false): Promise<string> {
    const claims = provider.claimsOf(userId, new Date());
    const past = Math.floor(Date.now() / 1000) - 60;
    return `Bearer ${await provider.sign(expired ? { ...claims, exp: past } : claims)}`;
  }

  async function ask(
    method: string,
    { path, body }: Attempt,
    userId: string | undefined,
    expired = false,
  ): Promise<AppResponse> {
    const headers = userId === undefined ? {} : { authorization: await tokenOf(userId, expired) };
    return await readResponse(await app.open(method, path, body, headers));
  }

  test("every route of the server is listed here", () => {
    assert.deepEqual(listRoutes(app.app).toSorted(), Object.keys(routes).toSorted());
  });

  for (const [route, makeAttempt] of Object.entries(routes)) {
    if (makeAttempt === "open") continue;
    const [method = ""] = route.split(" ");
    test(`${route} gives the owner's data to the owner alone`, async () => {
      const world = await makeWorld();
      const attempt = makeAttempt(world);
      const calls = model.calls.length;
      for (const [userId, expired] of [
        [undefined, false],
        [world.userId, true],
      ] as const) {
        const { status, body } = await ask(method, attempt, userId, expired);
        assert.equal(status, 401);
        assert.ok(!body.includes(canary));
      }
      const other = await ask(method, attempt, stranger);
      assert.equal(other.status, attempt.foreign);
      assert.ok(!other.body.includes(canary));
      if (attempt.foreign >= 400) assert.equal(model.calls.length, calls, "the model was not asked");
      const own = await ask(method, attempt, world.userId);
      assert.ok([200, 204, attempt.own].includes(own.status), own.body);
    });
  }

  test("the user of the payload must be the user of the token", async () => {
    const world = await makeWorld();
    for (const path of ["/stream-chat", "/api/chat"]) {
      const body = {
        ...chat,
        id: "chat",
        ...(path === "/api/chat" && { messages: uiMessages }),
        userId: world.userId,
      };
      const calls = model.calls.length;
      assert.equal((await ask("POST", { path, body, foreign: 404 }, stranger)).status, 403);
      assert.equal(model.calls.length, calls);
      assert.equal((await ask("POST", { path, body, foreign: 404 }, world.userId)).status, 200);
    }
    const path = `/turns/${world.turnId}?userId=${world.userId}`;
    const answer = await ask("GET", { path, foreign: 404 }, stranger);
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], [403, "user_mismatch"]);
  });

  test("a turn may create a conversation, but not write to another user's or an unowned one", async () => {
    const world = await makeWorld();
    const untouched = await readMessages(app.app.store.database, world.conversationId, world.userId);
    const [code, detail] = [z.string(), z.string()];
    const answer = await ask(
      "POST",
      { path: "/stream-chat", body: { ...chat, conversationId: world.conversationId }, foreign: 404 },
      stranger,
    );
    const problem = z.object({ code, detail }).parse(JSON.parse(answer.body));
    assert.deepEqual([answer.status, problem.code], [404, "conversation_not_found"]);
    const header = { authorization: await tokenOf(stranger), "x-conversation-id": world.conversationId };
    assert.equal((await app.post("/v1/chat/completions", completion, header)).status, 404);
    assert.deepEqual(
      await readMessages(app.app.store.database, world.conversationId, world.userId),
      untouched,
    );
    const conversationId = randomUUID();
    const body = { ...chat, conversationId };
    const made = await ask("POST", { path: "/stream-chat", body, foreign: 404 }, stranger);
    assert.deepEqual([made.status, made.headers["x-conversation-id"]], [200, conversationId]);
  });
});

describe("with AUTH=keys", { timeout: 60_000 }, () => {
  test("a server with a key acts for any user; without one, or with half of one, every request is refused", async () => {
    const [first, second] = [randomUUID(), randomUUID()];
    const harness = await startPglite();
    const model = await ScriptedModel.start();
    const app = await startApp({
      AUTH: "keys",
      API_KEYS: `${first},${second}`,
      CHAT_STORE_ENABLED: "true",
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted",
      ...harness.variables,
    });
    const userId = randomUUID();
    for (const key of [first, second]) {
      const headers = { authorization: `Bearer ${key}` };
      const answer = await app.post("/stream-chat", { ...chat, userId }, headers);
      assert.equal(answer.status, 200);
      const turn = `/turns/${String(answer.headers["x-turn-id"])}`;
      assert.equal((await app.get(`${turn}?userId=${userId}`, headers)).status, 200);
      assert.equal((await app.get(turn, headers)).status, 404);
      const conversationId = String(answer.headers["x-conversation-id"]);
      const other = { ...chat, userId: randomUUID(), conversationId };
      assert.equal((await app.post("/stream-chat", other, headers)).status, 404);
    }
    for (const bad of ["", first.slice(0, -1), `${first}x`, `${first},${second}`, first.toUpperCase()]) {
      const answer = await app.post("/stream-chat", chat, { authorization: `Bearer ${bad}` });
      assert.equal(answer.status, 401);
      assert.ok(!answer.body.includes(first));
    }
    await app.close();
    await model.close();
    await harness.stop();
  });
});
