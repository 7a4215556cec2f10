/** The routes of OpenAI's API: chat completions and models. */
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import { awaitTurn, followTurn } from "../../http/turns/follow-turn.ts";
import { findReplyingModel } from "../../http/turns/replying-model.ts";
import { startTurn, type TurnStarter } from "../../http/turns/start-turn.ts";
import { toUnknownModel, type ModelChoice } from "../../http/model-choice.ts";
import type { SourceData, ToolCall } from "../../turn/turn-event.ts";
import { TurnHeaders, UserQuery } from "../../http/request-fields.ts";
import { defineRoute, defineRoutes, startErrors, storeErrors, turnErrors } from "../../http/route.ts";
import { toOpenAiChunks } from "./chunks.ts";
import { toModelNames } from "../../http/openai/model-name.ts";
import { openAiErrors } from "../../http/openai/openai-error.ts";
import { toCompletion } from "./completion.ts";
import { toModels, type ModelList } from "./models.ts";
import { CompletionBody, toRequestedCompletion } from "./request.ts";

/** The services of these routes. */
export interface OpenAiServices extends TurnStarter {
  readonly clock: Clock;
  readonly choice: ModelChoice;
  /** When the server was created. */
  readonly createdAt: Date;
}

/**
 * A client of this wire cannot return to its turn, unless it sent a key: when it leaves, the turn is stopped.
 */
const createCompletion = defineRoute({
  method: "POST",
  path: "/v1/chat/completions",
  headers: TurnHeaders,
  body: CompletionBody,
  startsTurn: true,
  takesUserName: true,
  errors: [...startErrors, ...turnErrors, ...storeErrors, "turn_running"],
  handle: async ({ body, headers, identity, request, reply }, services: OpenAiServices) => {
    const requested = toRequestedCompletion(body, headers, identity, services.choice);
    const turn = await startTurn(services, { ...requested.turn, wire: "openai-chat" }, request, reply);
    void reply.header("x-request-id", turn.id);
    const stopsTurn = requested.turn.idempotencyKey === undefined;
    if (requested.streams) {
      const wire = toOpenAiChunks(requested.includesUsage, () => findReplyingModel(turn));
      return await followTurn(turn, reply, { wire, clock: services.clock, stopsTurn });
    }
    const { log } = turn;
    const cursor = log.read();
    let reasoning = "";
    const calls: ToolCall[] = [];
    const sources: SourceData[] = [];
    const end = await awaitTurn(turn, reply, stopsTurn, () => {
      for (let event = cursor.next(); event !== undefined; event = cursor.next())
        if (event.type === "reasoning-delta") reasoning += event.text;
        else if (event.type === "tool-call" && event.runsOn === "client") calls.push(event);
        else if (event.type === "source") sources.push(event);
    });
    if (end?.type !== "turn-end" || log.start === undefined) return undefined;
    if (end.error !== undefined) throw new AppError(end.error.code, "the reply was cut off", end.error);
    return toCompletion({
      start: log.start,
      model: findReplyingModel(turn),
      body: log.textAfter(0),
      reasoning,
      calls,
      sources,
      end,
    });
  },
});

const listModels = defineRoute({
  method: "GET",
  path: "/v1/models",
  query: UserQuery,
  errors: [],
  handle: (chooser, { choice, createdAt }: OpenAiServices): ModelList => ({
    object: "list",
    data: toModels(toModelNames(choice, chooser), createdAt),
  }),
});

const getModel = defineRoute({
  method: "GET",
  path: "/v1/models/:model",
  params: z.object({ model: z.string().describe("The model's name.") }),
  query: UserQuery,
  errors: ["model_not_found"],
  handle: ({ params, identity, caller }, { choice, createdAt }: OpenAiServices) => {
    const names = toModelNames(choice, { identity, caller });
    const [found] = toModels(
      names.filter((name) => name === params.model),
      createdAt,
    );
    if (found === undefined) throw toUnknownModel(params.model, names);
    return found;
  },
});

/** `/v1`, for OpenAI's clients. Contract: docs/protocol.md. */
export const openAiRoutes = defineRoutes({
  tag: "OpenAI",
  errors: { prefix: "/v1", format: openAiErrors },
  routes: { createCompletion, listModels, getModel },
  describe: async () => (await import("./operations.ts")).openAiDescription,
});
