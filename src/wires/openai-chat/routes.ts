/** Owns `/v1`, where OpenAI's clients look: chat completions, and the models there are. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { parse } from "../../base/parse.ts";
import type { Clock } from "../../base/clock.ts";
import { toOpenAiChunks } from "./chunks.ts";
import { toCompletion } from "./completion.ts";
import { identityOf } from "../../http/authentication.ts";
import { parseCompletionRequest, toModelNames, toUnknownModel } from "./request.ts";
import { awaitTurn, followTurn } from "../../http/follow-turn.ts";
import { startTurn, type TurnStarter } from "../../http/start-turn.ts";

/** The model that an address names. */
export const ModelParams = z.object({ model: z.string().describe("The model's name.") });

/** A model as OpenAI's clients read it. */
export interface ModelJson {
  readonly id: string;
  readonly object: "model";
  /** In seconds since 1970. */
  readonly created: number;
  readonly owned_by: "foreword";
}

/** All models. */
export interface ModelList {
  readonly object: "list";
  readonly data: readonly ModelJson[];
}

/**
 * `POST /v1/chat/completions`, `GET /v1/models` and `GET /v1/models/:model`. Contract: docs/protocol.md. A client of this
 * wire cannot come back to its turn, unless it gave it a key: when it leaves, the turn is stopped.
 * @param model the name of the model.
 */
export function registerCompletions(
  app: FastifyInstance,
  starter: TurnStarter,
  clock: Clock,
  model: string,
): void {
  const created = Math.floor(clock.now().getTime() / 1000);
  const models = toModelNames(model).map((id): ModelJson => ({
    id,
    object: "model",
    created,
    owned_by: "foreword",
  }));

  app.get("/v1/models", (): ModelList => ({ object: "list", data: models }));

  app.get("/v1/models/:model", (request) => {
    const { model: id } = parse(ModelParams, request.params, "invalid_request");
    const found = models.find((candidate) => candidate.id === id);
    if (found === undefined) throw toUnknownModel(id, model);
    return found;
  });

  app.post("/v1/chat/completions", async (request, reply) => {
    const order = parseCompletionRequest(request.body, request.headers, identityOf(request), model);
    const turn = await startTurn(starter, order.turn, request, reply);
    void reply.header("x-request-id", turn.id);
    const stopsTurn = order.turn.idempotencyKey === undefined;
    if (order.streams) {
      const wire = toOpenAiChunks(order.includesUsage);
      return await followTurn(turn, reply, { wire, clock, stopsTurn });
    }
    const { log } = turn;
    const cursor = log.read();
    let reasoning = "";
    const end = await awaitTurn(turn, reply, stopsTurn, () => {
      for (let event = cursor.next(); event !== undefined; event = cursor.next())
        if (event.type === "reasoning-delta") reasoning += event.text;
    });
    if (end === undefined || log.start === undefined) return undefined;
    if (end.error !== undefined) throw new AppError(end.error.code, "the reply broke off", end.error);
    return toCompletion(log.start, log.textAfter(0), reasoning, end);
  });
}
