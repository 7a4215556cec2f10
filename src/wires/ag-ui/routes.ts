/** The routes of AG-UI: start a run or follow it again, load a thread, join a run, stop runs. */
import { AppError, refuse } from "../../base/errors.ts";
import type { Caller } from "../../base/caller.ts";
import type { Clock } from "../../base/clock.ts";
import { toChatPlace } from "../../http/chat-place.ts";
import type { ModelChoice } from "../../http/model-choice.ts";
import { UserQuery } from "../../http/request-fields.ts";
import type { History } from "../../history/history.ts";
import { chatErrors, defineRoute, defineRoutes, storeErrors, turnErrors } from "../../http/route.ts";
import { followTurn } from "../../http/turns/follow-turn.ts";
import { startTurn, type TurnStarter } from "../../http/turns/start-turn.ts";
import { stopChat, stopTurns } from "../../http/turns/stop-turn.ts";
import type { StreamWire } from "../../http/turns/stream-wire.ts";
import { stopWaitingTurn } from "../../http/turns/waiting-turn.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import { answerThread } from "./request/answers.ts";
import { comparePlaces, type EventPlace } from "./stream/event-id.ts";
import {
  ResumeHeaders,
  RunBody,
  RunHeaders,
  StopQuery,
  ThreadQuery,
  toRequestedRun,
  toStream,
} from "./request/request.ts";
import { countMessages } from "./reply-messages.ts";
import { toTurnId } from "./run-id.ts";
import { loadThread } from "./thread.ts";
import { toAgUiStream, type RunStream } from "./stream/stream.ts";

/** The services of these routes. */
export interface AgUiServices extends TurnStarter {
  readonly clock: Clock;
  readonly choice: ModelChoice;
  /** `undefined` if nothing is stored. */
  readonly history: History | undefined;
}

const startRun = defineRoute({
  method: "POST",
  path: "/ag-ui",
  query: UserQuery,
  headers: RunHeaders,
  body: RunBody,
  startsTurn: true,
  continuesChats: true,
  errors: chatErrors,
  handle: async ({ body, query, headers, identity, request, reply }, services: AgUiServices) => {
    const {
      turn: requested,
      stream,
      answers,
      leavesPending,
    } = toRequestedRun({
      body,
      query,
      headers,
      identity,
    });
    const { live, clock, choice } = services;
    const { conversationId, chatId, caller } = requested;
    const chat = { conversationId, chatId };
    if (answers !== undefined) {
      const { turn, place } = await answerThread(live, chat, caller, answers);
      const wire = toWire(turn, startAfter(stream, place));
      return await followTurn(turn, reply, { wire, clock, leavesAtEnd: true });
    }
    const model = choice.readField(body.forwardedProps?.model, { identity, caller });
    if (leavesPending && requested.ifRunning === undefined) await stopWaitingTurn(live, chat, caller);
    const turn = await startTurn(services, { ...requested, model, wire: "ag-ui" }, request, reply);
    return await followTurn(turn, reply, { wire: toWire(turn, stream), clock, leavesAtEnd: true });
  },
});

const readThread = defineRoute({
  method: "GET",
  path: "/ag-ui",
  query: ThreadQuery,
  headers: ResumeHeaders,
  hasHead: false, // a HEAD would follow the run to its end
  errors: ["not_found", "server_stopping", ...turnErrors, ...storeErrors],
  handle: async ({ query, headers, caller, reply }, { live, clock, history }: AgUiServices) => {
    const { threadId, runId, offset, protocolVersion, limit, before, userId } = query;
    if (runId === undefined) {
      if (threadId === undefined) return refuse("threadId", "or runId is required");
      const fileQuery = userId ? `?userId=${userId}` : "";
      const chat = toChatPlace(threadId, caller.userId);
      return reply.send(await loadThread({ history, live }, chat, caller, { limit, before, fileQuery }));
    }
    const turn = await findRun(live, runId, caller);
    const named = { threadId, runId, protocolVersion, resumes: true, isJoined: true };
    const lastId = { "last-event-id": headers["last-event-id"] || offset };
    const wire = toWire(turn, toStream(named, lastId));
    return await followTurn(turn, reply, { wire, clock, leavesAtEnd: true });
  },
});

const stopRuns = defineRoute({
  method: "POST",
  path: "/ag-ui/stop",
  query: StopQuery,
  body: "ignored",
  errors: ["not_found", "server_stopping", ...storeErrors],
  handle: async ({ query: { threadId, runId }, caller, reply }, services: AgUiServices) => {
    const { live, clock } = services;
    if (runId !== undefined) return await stopTurns([await findRun(live, runId, caller)], reply, clock);
    if (threadId === undefined) return refuse("threadId", "or runId is required");
    return await stopChat(services, toChatPlace(threadId, caller.userId), caller, reply);
  },
});

/** `/ag-ui`, for AG-UI's clients and TanStack AI. Contract: docs/protocol.md. */
export const agUiRoutes = defineRoutes({
  tag: "AG-UI",
  routes: { startRun, readThread, stopRuns },
  describe: async () => (await import("./operations.ts")).agUiDescription,
});

function toWire({ extendsReply }: FollowedTurn, stream: RunStream): StreamWire {
  return toAgUiStream(stream, countMessages(extendsReply));
}

/** Returns `stream` for a client that has the turn up to `place`, from earlier runs. */
function startAfter(stream: RunStream, place: EventPlace): RunStream {
  const { after } = stream;
  return { ...stream, after: after !== undefined && comparePlaces(after, place) > 0 ? after : place };
}

/** @throws AppError `not_found` for an unknown run or another user's. */
async function findRun(live: LiveTurns, runId: string, caller: Caller): Promise<FollowedTurn> {
  const turn = await live.find(toTurnId(runId, caller.userId), caller);
  if (turn !== undefined) return turn;
  const detail = "The run was not found.";
  throw new AppError("not_found", `no run ${runId} of ${caller.userId ?? "an unnamed user"}`, { detail });
}
