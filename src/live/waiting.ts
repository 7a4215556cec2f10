/** Goes on with turns that wait for their users: after an answer, when their time is up, or to stop them. */
import { AppError } from "../base/errors.ts";
import type { Caller } from "../base/caller.ts";
import { loadImages, type TurnAttachments } from "../turn/attachments/turn-attachments.ts";
import type { ToolServers } from "../turn/items/tool.ts";
import { parseWaitingState } from "../turn/steps/waiting-state.ts";
import type { Models, TurnBegin } from "../turn/ports.ts";
import type {
  AnswerResult,
  ApprovalAnswer,
  ClaimedTurn,
  ClaimReason,
  WaitingTurns,
} from "../turn/records.ts";
import type { ResumedTurn } from "../turn/steps/resumed-turn.ts";
import type { BegunTurn } from "../turn/turn-ports.ts";
import { toTraceId } from "../turn/tracing/trace-context.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import type { LiveTurn } from "./live-turn.ts";

/** How long a turn waits for the tools of a process that has just started, in milliseconds. */
const maxToolsWaitMs = 5_000;

/** The dependencies of {@link Waiting}. */
export interface WaitingOptions {
  readonly waiting: WaitingTurns;
  readonly models: Models;
  /** The servers of the tools that a turn may have to call; `undefined` if none are configured. */
  readonly tools?: ToolServers | undefined;
  readonly attachments: TurnAttachments | undefined;
  /** Whether the process is stopping, and goes on with no more turns. */
  readonly isDraining: () => boolean;
  /** Runs a turn here. */
  readonly run: (request: TurnRequest, begun: BegunTurn, resumed: ResumedTurn) => LiveTurn;
}

/** The turns that wait, as this process can go on with them. */
export class Waiting {
  readonly #options: WaitingOptions;
  /** By turn, calls that may make it run here: in the database it may do so before their response comes. */
  readonly #claims = new Map<string, Promise<unknown>>();

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  /** Calls by the id of the turn that they may make run here. */
  get claims(): ReadonlyMap<string, Promise<unknown>> {
    return this.#claims;
  }

  /**
   * Stores the answers of `caller` to requests for approval. After the last one the turn goes on here.
   * @throws AppError `not_found`, `turn_not_waiting`, `approval_not_found`, `approval_settled`,
   * `approval_expired`, `server_stopping`, or a `store_…` code: nothing was stored then.
   */
  async answer(turnId: string, caller: Caller, answers: readonly ApprovalAnswer[]): Promise<void> {
    const { tools, waiting, isDraining } = this.#options;
    await tools?.ready(maxToolsWaitMs);
    if (isDraining()) throw new AppError("server_stopping", "draining");
    await this.#claim(
      turnId,
      async () => await this.#take(turnId, await waiting.answer(turnId, caller, answers)),
    );
  }

  async #take(turnId: string, result: AnswerResult): Promise<void> {
    switch (result.type) {
      case "claimed":
        await this.#goOn(result.turn);
        return;
      case "stored":
        return;
      case "missing":
        throw new AppError("not_found", `no turn ${turnId}`, { detail: "The turn was not found." });
      case "not-waiting":
        throw new AppError("turn_not_waiting", `turn ${turnId} is ${result.status}`);
      case "unknown":
        throw new AppError("approval_not_found", result.approvalId);
      case "settled":
        throw new AppError("approval_settled", result.approvalId);
      case "expired":
        throw new AppError("approval_expired", result.approvalId);
    }
  }

  /** Takes over a waiting turn for a reason that the database confirms; `undefined` if it does not. */
  async claim(turnId: string, reason: ClaimReason): Promise<LiveTurn | undefined> {
    const { tools, waiting, isDraining } = this.#options;
    await tools?.ready(maxToolsWaitMs);
    if (isDraining() && reason === "expired") return undefined; // another process, or the next one, does it
    const turn = await this.#claim(turnId, async () => {
      const claimed = await waiting.claim(turnId, reason);
      return claimed && (await this.#goOn(claimed, reason));
    });
    if (reason === "stop") await turn?.run.done;
    return turn;
  }

  async #claim<Result>(turnId: string, call: () => Promise<Result>): Promise<Result> {
    const done = call();
    const all = Promise.allSettled([this.#claims.get(turnId), done]);
    this.#claims.set(turnId, all);
    void all.then(() => {
      if (this.#claims.get(turnId) === all) this.#claims.delete(turnId);
    });
    return await done;
  }

  async #goOn(claimed: ClaimedTurn, reason?: ClaimReason): Promise<LiveTurn> {
    const { turnId, conversationId, userId, text, items } = claimed;
    const state = parseWaitingState(claimed.state);
    const { messages, extendsReply, serverTools, wire, trace } = state;
    const { wantsPlan, parameters, useWebSearch, knowledgeBase, instructions, material } = state;
    const caller: Caller = { userId, accessToken: undefined };
    const { models, attachments, run } = this.#options;
    // Of databases that keep none for a turn in progress, and of turns from before there was a choice.
    const model = claimed.model === undefined ? models.default : models.findStored(claimed.model);
    const request: TurnRequest = {
      conversationId,
      caller,
      model: model?.name,
      mustOwn: false,
      messages: [],
      // Its stored images are loaded again.
      stored: { conversationId, digest: undefined, messages },
      extendsReply,
      serverTools,
      wire,
      trace,
      parentId: undefined,
      turnId,
      idempotencyKey: undefined,
      request: claimed.request,
      wantsPlan,
      parameters,
      useWebSearch,
      knowledgeBase,
      instructions,
      material,
    };
    const traceId = trace && toTraceId(trace);
    const begin = { ...toBegin(claimed, caller, models.default.name), wire, traceId };
    const begun: BegunTurn = { begin, result: { type: "begun", storage: "stored", conversationId } };
    const turn = run(await loadImages(request, attachments), begun, { text, items, state });
    // Before any approved call runs.
    if (reason === "stop") turn.run.stop();
    if (model === undefined) turn.run.fail(toModelGone(begin.model));
    return turn;
  }
}

/** No other model gets its chat: its user may have chosen the model for the place where that goes. */
function toModelGone(name: string): AppError {
  const detail = `The model of this turn, ${JSON.stringify(name)}, is no longer available. Send the message again, with another model.`;
  return new AppError("model_not_found", detail, { detail });
}

/** Returns the begin of a turn whose rows are stored. */
function toBegin(claimed: ClaimedTurn, caller: Caller, model: string): TurnBegin {
  const { turnId, conversationId, startedAt } = claimed;
  return {
    turnId,
    conversationId,
    isConversationNamed: true,
    caller,
    mustOwn: false,
    title: "",
    path: [],
    anchor: undefined,
    continues: undefined,
    chatId: undefined,
    startedAt,
    model: claimed.model ?? model,
    mayBeRefused: false,
    idempotencyKey: undefined,
    requestDigest: undefined,
    estimate: { inputTokens: 0, outputTokens: 0 },
    allowance: undefined,
    requestId: undefined,
  };
}
