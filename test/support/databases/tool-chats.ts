/** Conversations of replies with tool calls, written as the server writes them. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { service } from "../../../src/store/database/database.ts";
import type { ToolPart } from "../../../src/turn/items/tool.ts";
import { addressAnswered, addressMessages, digestContent } from "../../../src/turn/message-tree.ts";
import type { Message } from "../../../src/turn/message.ts";
import type { TurnBegin, TurnResult } from "../../../src/turn/ports.ts";
import { beginTurn, endTurn, makeResult, makeTurn, toMessages, type Line } from "./make-turn.ts";
import { readMessages } from "./read-rows.ts";
import type { OpenTurnRows } from "./use-turn-writes.ts";

const Row = z.object({
  id: z.string(),
  parent_id: z.string().nullable(),
  content: z.string(),
  metadata: z.looseObject({ superseded_by: z.string().optional() }),
  status: z.string().nullable(),
});

/** A call of the client's tool, with a result unless `output` is absent. */
export function call(name: string, output?: string, more: Partial<ToolPart> = {}): ToolPart {
  const outcome = output === undefined ? undefined : ({ status: "complete", output } as const);
  return { callId: `call_${name}`, name, runsOn: "client", step: 0, at: 0, input: "{}", outcome, ...more };
}

/** A reply with these calls. */
export function reply(text: string, ...tools: ToolPart[]): Message {
  return { role: "assistant", text, images: [], ...(tools.length > 0 && { tools }) };
}

/** The end of a turn whose reply is, in all, `message`. */
export function resultOf(
  turn: TurnBegin,
  { text, tools = [] }: Message,
  more: Partial<TurnResult> = {},
): TurnResult {
  const contentDigest = digestContent("assistant", text, [], tools);
  const withTools = { text, tools };
  return makeResult(text, { reply: { id: turn.turnId, contentDigest, hasPlan: false, withTools }, ...more });
}

/** A source, as a message keeps it. */
export const source = {
  sourceId: "s",
  number: 1,
  kind: "web",
  title: "Weather",
  quote: "Rain.",
  isCited: true,
} as const;

/** A search for sources, as a message keeps it. */
export const search = { kind: "web", query: "weather", status: "found" } as const;

/** Returns the texts of rows. */
export function contentsOf(rows: readonly { content: string | null }[]): unknown[] {
  return rows.map(({ content }) => content);
}

/** A user's conversation: its turns and its rows. */
export type ToolChat = ReturnType<typeof makeToolChat>;

/** Makes a user's conversation in the database that is open. */
export function makeToolChat(opened: OpenTurnRows) {
  const place = { userId: randomUUID(), conversationId: randomUUID() };
  const toTurn = (lines: readonly Line[], extended?: Message, more: Partial<TurnBegin> = {}): TurnBegin => {
    const parent = addressMessages(toMessages(lines)).at(-1)?.pathDigest;
    const extendsReply = extended && addressAnswered(extended, parent);
    return makeTurn(lines, {
      ...place,
      maxReadChars: 100_000,
      ...(extendsReply && { extendsReply }),
      ...more,
    });
  };
  const run = async (lines: readonly Line[], whole: Message, extended?: Message): Promise<TurnBegin> => {
    const turn = toTurn(lines, extended);
    await beginTurn(opened.writes, turn);
    await endTurn(opened.writes, turn, resultOf(turn, whole));
    return turn;
  };
  /** Runs a turn for the message Hi, whose reply has a plan, a search and a source. */
  const ask = async (whole: Message): Promise<TurnBegin> => {
    const turn = toTurn(["u: Hi"]);
    await beginTurn(opened.writes, turn);
    const { reply: asked, ...result } = resultOf(turn, whole);
    const grounded = asked && { ...asked, hasPlan: true, searches: [search], sources: [source] };
    await endTurn(opened.writes, turn, { ...result, reply: grounded });
    return turn;
  };
  const shown = async () => await readMessages(opened.database, place.conversationId, place.userId);
  return {
    ...place,
    toTurn,
    run,
    ask,
    shown,
    texts: async () => (await shown()).map(({ content }) => content),
    /** All rows, also of branches that are not shown. */
    all: async () =>
      z
        .array(Row)
        .parse(
          await opened.database.call(
            "chat_list_messages",
            { conversation_id: place.conversationId, is_tree: true },
            { ...service, userId: place.userId },
          ),
        ),
  };
}
