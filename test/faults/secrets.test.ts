/** No secret leaks: canaries in each key and password appear nowhere, however the server fails. */
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { IdentityProvider } from "../support/apps/identity-provider.ts";
import { findFreePort } from "../support/network/local-port.ts";
import { ScriptedModel, type Script } from "../support/model/scripted-model.ts";
import { makeFolder, startApp, type AppResponse, type RunningApp } from "../support/apps/start-app.ts";
import { toVariables } from "../support/apps/use-app.ts";
import { createHastyClock } from "../support/hasty-clock.ts";

const canary = (name: string): string => `canary-${name}-${randomBytes(16).toString("hex")}`;
const json = { "content-type": "application/json" };
const chat = { messages: [{ sender: "user", text: "Hi" }] };
const completion = { model: "scripted", messages: [{ role: "user", content: "Hi" }] };
const ui = { id: "chat", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }] };

const wires = [
  ["/stream-chat", chat],
  ["/api/chat", ui],
  ["/v1/chat/completions", completion],
] as const;

/**
 * Requests turns whose model fails in every way, quoting `quotes`, and turns that are refused; returns the
 * responses.
 */
async function failInEveryWay(
  app: RunningApp,
  model: ScriptedModel,
  quotes: string,
  authorization: string,
): Promise<AppResponse[]> {
  const complaint = JSON.stringify({
    error: { message: `Incorrect API key provided: ${quotes}`, code: quotes },
  });
  const scripts: readonly Script[] = [
    ...[400, 401, 403, 404, 408, 413, 429].map((status) => {
      return (call: Parameters<Script>[0]): unknown => call.head(status, json).end(complaint);
    }),
    (call) => call.head(200, json).end(complaint),
    (call) => call.head(200, json).end(quotes),
    (call) => call.raw(`data: ${complaint}\n\n`).end(),
    (call) => call.raw(`data: ${quotes}\n\n`).end(),
    (call) => call.text("- p\n---RESPONSE---\nHalf").raw(`data: ${complaint}\n\n`).end(),
    (call) => call.text("- p\n---RESPONSE---\nHalf").destroy(),
  ];
  const answers: AppResponse[] = [];
  for (const script of scripts) {
    model.script = script;
    const asked = wires.map(([path, body]) => app.post(path, body, { authorization }));
    answers.push(...(await Promise.all(asked)));
  }
  const turn = `/turns/${randomUUID()}`;
  for (const path of [turn, `${turn}/stream`, "/readyz", "/v1/models", "/nowhere", "/api/chat/x/stream"])
    answers.push(await app.get(path, { authorization }));
  for (const bad of [`${authorization}x`, `Basic ${quotes}`, `Bearer ${quotes}`])
    answers.push(await app.post("/stream-chat", chat, { authorization: bad }));
  answers.push(await app.post("/stream-chat", "{", { authorization }));
  return answers;
}

/** Resolves with the contents of all files below `folder`. */
async function readFolder(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  // SQLite's own journal may disappear meanwhile.
  const isGone = (error: unknown): boolean =>
    error instanceof Error && "code" in error && error.code === "ENOENT";
  const texts = await Promise.all(
    files.map(
      async (file) =>
        await readFile(join(file.parentPath, file.name), "latin1").catch((error: unknown) => {
          if (isGone(error)) return "";
          throw error;
        }),
    ),
  );
  return texts.join("\n");
}

function assertNone(place: string, text: string, secrets: readonly string[]): void {
  for (const secret of secrets) assert.ok(!text.includes(secret), `${secret.slice(0, 20)} is in ${place}`);
}

/** Fails in every way with an app of `variables`; checks the log, the responses and all stored data. */
async function assertKept(
  variables: Record<string, string>,
  secrets: readonly string[],
  authorization: string,
): Promise<RunningApp["logs"]> {
  await using closing = new AsyncDisposableStack();
  const folder = closing.adopt(await makeFolder(), (made) => made.remove());
  const model = closing.adopt(await ScriptedModel.start(), (started) => started.close());
  const logging = { LOG_LEVEL: "trace", LOG_CONTENT: "true" };
  const app = await startApp(
    {
      ...toVariables(model, { variables: { DATA_DIR: folder.path } }),
      ...logging,
      ...variables,
    },
    createHastyClock(501, 999), // before the model is called once more
  );
  closing.defer(() => app.close());
  const answers = await failInEveryWay(app, model, secrets.join(" "), authorization);
  await app.close();
  assert.ok(app.logs.filter(({ msg }) => msg === "turn").length >= 30, "turns failed");
  assertNone("the log", JSON.stringify(app.logs), secrets);
  assertNone("an answer", JSON.stringify(answers), secrets);
  assertNone("what is kept", await readFolder(folder.path), secrets);
  return app.logs;
}

describe("a secret", { timeout: 120_000, concurrency: true }, () => {
  const modelKey = canary("model");

  test("is in no log, response or row of a server with keys, however its model fails and whatever it quotes", async () => {
    const apiKey = canary("api");
    const variables = { AUTH: "keys", API_KEYS: apiKey, OPENAI_API_KEY: modelKey };
    const logs = await assertKept(variables, [modelKey, apiKey], `Bearer ${apiKey}`);
    assert.match(JSON.stringify(logs), /Incorrect API key provided: \[redacted\]/);
  });

  test("is in none while the database is unreachable (its password and its URL), nor in the journal", async () => {
    const password = canary("database");
    const url = `postgres://me:${password}@127.0.0.1:${await findFreePort()}/chat`;
    const variables = { DATABASE_URL: url, OPENAI_API_KEY: modelKey };
    await assertKept(variables, [password, modelKey, url], "Bearer x");
  });

  test("is in none while Supabase is away (its keys, its token secret, a user's token)", async (context) => {
    const provider = await IdentityProvider.start();
    context.after(() => provider.close());
    const [service, secret] = [canary("service"), canary("jwt")];
    const token = await provider.sign(provider.claimsOf(randomUUID(), new Date()));
    const variables = {
      AUTH: "supabase",
      SUPABASE_URL: provider.url,
      SUPABASE_SERVICE_ROLE_KEY: service,
      SUPABASE_JWT_SECRET: secret,
      OPENAI_API_KEY: modelKey,
    };
    await assertKept(variables, [service, secret, token, modelKey], `Bearer ${token}`);
  });
});
