/** Turns that wait for their users, on two replicas with the same tools. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import type { AppResponse, RunningApp } from "../../support/apps/start-app.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { createHastyClock } from "../../support/hasty-clock.ts";
import { eventsOf, typed, useTools, type TypedEvent } from "./use-tools.ts";

const State = z.object({
  status: z.string(),
  answer: z.string().nullable(),
  tools: z.array(z.looseObject({ callId: z.string(), status: z.string().nullable() })).nullable(),
  approvals: z.array(z.looseObject({ approvalId: z.string(), callId: z.string() })),
});

/** A turn of a user. */
export interface UserTurn {
  readonly turnId: string;
  readonly userId: string;
}

const none = (): Readonly<Record<string, string>> => ({});

/**
 * Two replicas, with tools and a model that are started for each test, and requests about waiting turns.
 * @param more variables of the replicas.
 */
export function useWaitingTurns(more: () => Readonly<Record<string, string>> = none) {
  const model = useModel("test");
  const tools = useTools();
  const database = useDatabase(startPostgresHarness);
  const clock = createHastyClock(4_000); // between two looks for turns whose time is up
  const variables = () => ({ ...tools.variables, ...more() });
  const here = useApp(model, variables, { database, clock, lifetime: "test" });
  const there = useApp(model, variables, { database, clock, lifetime: "test" });

  /**
   * Starts a turn whose first step calls `names`; resolves with it when it waits.
   * @param fields of its message; and `wishes`, of its body.
   */
  async function startWaiting(
    names: readonly string[],
    fields: object = {},
    wishes: object = {},
  ): Promise<{
    turnId: string;
    userId: string;
    events: readonly TypedEvent[];
    approvalIds: readonly string[];
  }> {
    let step = 0;
    model.script = (call) => {
      step += 1;
      if (step > 1) return call.text("- p\n---RESPONSE---\nDone.").finish();
      for (const name of names) call.toolCall(name, { name }, `c-${name}`);
      return call.finish("tool_calls");
    };
    const userId = randomUUID();
    const body = { messages: [{ sender: "user", text: "Do it.", ...fields }], userId, ...wishes };
    const response = await here.post("/stream-chat", body, typed);
    const events = eventsOf(response);
    const approvals = z.array(z.looseObject({ approvalId: z.string() })).parse(events.at(-1)?.["approvals"]);
    return {
      turnId: String(response.headers["x-turn-id"]),
      userId,
      events,
      approvalIds: approvals.map(({ approvalId }) => approvalId),
    };
  }

  async function answer(
    app: RunningApp,
    { turnId, userId }: UserTurn,
    approvals: readonly object[],
  ): Promise<AppResponse> {
    return await app.post(`/turns/${turnId}/approvals?userId=${userId}`, { approvals });
  }

  async function readState(app: RunningApp, turn: UserTurn): Promise<z.infer<typeof State>> {
    const { body } = await app.get(`/turns/${turn.turnId}?userId=${turn.userId}`);
    return State.parse(JSON.parse(body));
  }

  async function follow(app: RunningApp, turn: UserTurn, after = "0"): Promise<readonly TypedEvent[]> {
    return eventsOf(
      await app.get(`/turns/${turn.turnId}/stream?userId=${turn.userId}&after=${after}`, typed),
    );
  }

  return { model, tools, database, here, there, startWaiting, answer, readState, follow };
}
