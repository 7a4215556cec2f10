/** Owns the history's routes: a user's conversations, their messages, what is changed and deleted of them. */
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { AppError } from "../base/errors.ts";
import type { LiveTurns } from "../live/live-turns.ts";
import { parse } from "../base/parse.ts";
import { createId } from "../base/create-id.ts";
import type { History } from "./history.ts";
import type { Caller } from "../base/caller.ts";
import { toConversationJson, toConversationPage, toMessagePage, writeExport, writeMarkdown } from "./json.ts";
import { callerOf } from "../http/authentication.ts";
import {
  ConversationParams,
  ExportQuery,
  ListQuery,
  MessagesQuery,
  NewConversation,
  ConversationPatch,
} from "./request.ts";
import { refuse } from "../http/request-fields.ts";

/** `/conversations` and what is below it. Contract: docs/protocol.md. */
export function registerConversations(
  app: FastifyInstance,
  history: History | undefined,
  live: LiveTurns,
): void {
  const rows = (): History => history ?? fail("history_off");
  registerMessages(app, rows);

  app.get("/conversations", async (request, reply) => {
    const query = parse(ListQuery, request.query, "invalid_request");
    const { limit, cursor: before, archived: isArchived, query: words } = query;
    const filter = { limit: limit + 1, before, isArchived, query: words };
    const found = await rows().list(callerOf(request), filter);
    return reply.send(toConversationPage(found, limit));
  });

  app.post("/conversations", { config: { body: "optional" } }, async (request, reply) => {
    const { id = createId(), title, metadata } = parse(NewConversation, request.body, "invalid_request");
    const made = await rows().create(callerOf(request), id, title, metadata);
    if (made === undefined) fail("conversation_exists", id);
    return reply.code(201).header("location", `/conversations/${id}`).send(toConversationJson(made));
  });

  app.delete("/conversations", async (request, reply) => {
    const caller = callerOf(request);
    // What is nobody's is everybody's.
    if (caller.userId === undefined) refuse("userId", "is required: whose conversations are to be deleted");
    live.stopAll(caller); // of those that run elsewhere their process hears with its next tick
    return reply.send({ deleted: await rows().deleteAll(caller) });
  });

  app.get("/conversations/:id", async (request, reply) => {
    const id = idOf(request);
    const found = await rows().get(callerOf(request), id);
    return reply.send(toConversationJson(found ?? missing(id)));
  });

  app.patch("/conversations/:id", async (request, reply) => {
    const id = idOf(request);
    const {
      leaf: leafId,
      archived: isArchived,
      ...rest
    } = parse(ConversationPatch, request.body, "invalid_request");
    const changed = await rows().update(callerOf(request), id, { ...rest, isArchived, leafId });
    if (changed === "no-leaf") throw new AppError("message_not_found", leafId ?? "", { field: "leaf" });
    return reply.send(toConversationJson(changed ?? missing(id)));
  });

  app.delete("/conversations/:id", async (request, reply) => {
    const id = idOf(request);
    const caller = callerOf(request);
    await stopRunning(live, id, caller);
    if (!(await rows().delete(caller, id))) missing(id);
    return reply.code(204).send();
  });
}

function registerMessages(app: FastifyInstance, rows: () => History): void {
  app.get("/conversations/:id/messages", async (request, reply) => {
    const id = idOf(request);
    const caller = callerOf(request);
    const { limit, before, tree: isTree } = parse(MessagesQuery, request.query, "invalid_request");
    const found = await rows().listMessages(caller, id, { limit, before, isTree });
    if (found.messages.length === 0 && (await rows().get(caller, id)) === undefined) missing(id);
    return reply.send(toMessagePage(found));
  });

  app.get("/conversations/:id/export", async (request, reply) => {
    const id = idOf(request);
    const caller = callerOf(request);
    const { format } = parse(ExportQuery, request.query, "invalid_request");
    const conversation = (await rows().get(caller, id)) ?? missing(id);
    const isJson = format === "json";
    const parts = await begin(rows().readAllMessages(caller, id, isJson));
    const text = isJson ? writeExport(conversation, parts) : writeMarkdown(conversation, parts);
    return reply
      .header("content-disposition", `attachment; filename="${id}.${isJson ? "json" : "md"}"`)
      .header("content-type", isJson ? "application/json; charset=utf-8" : "text/markdown; charset=utf-8")
      .send(Readable.from(text));
  });
}

/** Resolves once the first of `parts` is there, so that the status can say that the store is away. A later failure cuts the response. */
async function begin<Part>(parts: AsyncIterable<Part>): Promise<AsyncGenerator<Part>> {
  const iterator = parts[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  })();
}

/** Nobody will read what a conversation that is deleted is still answered. */
async function stopRunning(live: LiveTurns, id: string, caller: Caller): Promise<void> {
  await live.stopChat({ conversationId: id, chatId: undefined }, caller);
}

function idOf(request: FastifyRequest): string {
  return parse(ConversationParams, request.params, "invalid_request").id;
}

function missing(id: string): never {
  return fail("conversation_not_found", id);
}

function fail(
  code: "conversation_not_found" | "conversation_exists" | "history_off",
  message: string = code,
): never {
  throw new AppError(code, message);
}
