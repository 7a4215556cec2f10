/** Goes on with turns that wait for their users: after an answer, when their time is up, or to stop them. */
import { AppError } from "../base/errors.ts";
import type { Caller } from "../base/caller.ts";
import type { ToolServers } from "../turn/items/tool.ts";
import { parseWaitingState } from "../turn/steps/waiting-state.ts";
import type { TurnBegin } from "../turn/ports.ts";
import type { ApprovalAnswer, ClaimedTurn, ClaimReason, WaitingTurns } from "../turn/records.ts";
import type { ResumedTurn } from "../turn/steps/resumed-turn.ts";
import type { BegunTurn } from "../turn/run-turn.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import type { LiveTurn } from "./live-turn.ts";

/** How long a turn waits for the tools of a process that has just started, in milliseconds. */
const maxToolsWaitMs = 5_000;

/** The dependencies of {@link Waiting}. */
export interface WaitingOptions {
  readonly waiting: WaitingTurns;
  /** The name of the model. */
  readonly model: string;
  /** The servers of the tools that a turn may have to call; `undefined` if none are configured. */
  readonly tools: ToolServers | undefined;
  /** Runs a turn here. */
  readonly run: (request: TurnRequest, begun: BegunTurn, resumed: ResumedTurn) => LiveTurn;
}

/** The turns that wait, as this process can go on with them. */
export class Waiting {
  readonly #options: WaitingOptions;

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  /**
   * Stores the answers of `caller` to requests for approval. After the last one the turn goes on here.
   * @throws AppError `not_found`, `turn_not_waiting`, `approval_not_found`, `approval_settled`,
   * `approval_expired`, or a `store_…` code: nothing was stored then.
   */
  async answer(turnId: string, caller: Caller, answers: readonly ApprovalAnswer[]): Promise<void> {
    await this.#options.tools?.ready(maxToolsWaitMs);
    const result = await this.#options.waiting.answer(turnId, caller, answers);
    switch (result.type) {
      case "claimed":
        this.#goOn(result.turn);
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
    await this.#options.tools?.ready(maxToolsWaitMs);
    const claimed = await this.#options.waiting.claim(turnId, reason);
    if (claimed === undefined) return undefined;
    const turn = this.#goOn(claimed);
    if (reason === "stop") {
      turn.run.stop();
      await turn.run.done;
    }
    return turn;
  }

  #goOn(claimed: ClaimedTurn): LiveTurn {
    const { turnId, conversationId, userId, text, items } = claimed;
    const state = parseWaitingState(claimed.state);
    const { messages, extendsReply, wantsPlan, parameters, useWebSearch, knowledgeBase, serverTools } = state;
    const caller: Caller = { userId, accessToken: undefined };
    const request: TurnRequest = {
      conversationId,
      caller,
      mustOwn: false,
      messages,
      extendsReply,
      serverTools,
      parentId: undefined,
      turnId,
      idempotencyKey: undefined,
      wantsPlan,
      parameters,
      useWebSearch,
      knowledgeBase,
    };
    const begin = toBegin(claimed, caller, this.#options.model);
    const begun: BegunTurn = { begin, result: { type: "begun", storage: "stored", conversationId } };
    return this.#options.run(request, begun, { text, items, state });
  }
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
