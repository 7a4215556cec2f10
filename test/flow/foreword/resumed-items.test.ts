/**
 * Random turns with text, reasoning, calls and results, resumed at random ids while they run: at their owner,
 * and at another replica, which reads their rows. Every resume gets exactly the events after its id.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { z } from "zod";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { toChunk, type Script, type ScriptedCall } from "../../support/model/scripted-model.ts";
import type { RunningApp } from "../../support/apps/start-app.ts";
import { useApp, useDatabase, useModel, useResource } from "../../support/apps/use-app.ts";
import { typed, useToolsFile } from "../tools/use-tools.ts";
import { pickCount } from "../../support/process/thoroughness.ts";

const turnsCount = 40;
const resumesPerTurn = pickCount(50, 250);
/** Turns at a time: another replica reads their rows four times a second. */
const lanes = 8;
const seed = 20_261_128;

const script = fileURLToPath(new URL("../../tools/servers/stdio-server.ts", import.meta.url));
/** The last text of each turn, after which it is held open. */
const last = "THE LAST";

const piece = fc.oneof(
  fc.record({
    kind: fc.constant("text"),
    text: fc.constantFrom("a", "é", "漢字 ", "🙂", "two words ", "\n"),
  }),
  fc.record({ kind: fc.constant("thought"), text: fc.constantFrom("hm", "🤔", "né", "one thought more ") }),
);
const step = fc.record({
  pieces: fc.array(piece, { maxLength: 8 }),
  calls: fc.array(
    fc.record({
      name: fc.constantFrom("echo", "pid"),
      input: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});
const turns = fc.sample(fc.array(step, { minLength: 1, maxLength: 3 }), { numRuns: turnsCount, seed });

const Event = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  callId: z.string().optional(),
  position: z.number(),
  ordinal: z.number().default(0),
});
type Event = z.infer<typeof Event>;

/** Reads events until the last text, then leaves. */
async function readToLast(response: IncomingMessage): Promise<Event[]> {
  const events: Event[] = [];
  let text = "";
  const parser = createParser({
    onEvent: ({ data, id }) => {
      const event = Event.parse(JSON.parse(data));
      assert.equal(id, event.ordinal === 0 ? `${event.position}` : `${event.position}.${event.ordinal}`);
      events.push(event);
      if (event.type === "answer-delta") text += event.text;
    },
  });
  for await (const chunk of response.setEncoding("utf8")) {
    parser.feed(String(chunk));
    if (text.endsWith(last)) break;
  }
  response.destroy();
  return events.slice(1); // without turn-start
}

/** Joins consecutive pieces of one text, however they were cut. */
function joinTexts(events: readonly Event[]): Event[] {
  const joined: Event[] = [];
  for (const event of events) {
    const before = joined.at(-1);
    const bytes = Buffer.byteLength(event.text ?? "");
    const follows =
      event.ordinal === 0
        ? before?.position === event.position - bytes
        : before?.position === event.position && before.ordinal === event.ordinal - bytes;
    const isSame = before?.type === event.type && before.callId === event.callId;
    if (event.text !== undefined && before?.text !== undefined && isSame && follows)
      joined[joined.length - 1] = { ...event, text: before.text + event.text };
    else joined.push(event);
  }
  return joined;
}

/** The events after a place. */
function after(events: readonly Event[], { position, ordinal }: Event): Event[] {
  return events.filter((event) =>
    event.position === position ? event.ordinal > ordinal : event.position > position,
  );
}

/** Whether an event is kept beyond the process that runs the turn. */
function isSaved({ type }: Event): boolean {
  return type !== "tool-call-start" && type !== "tool-call-delta";
}

function say(call: ScriptedCall, pieces: readonly z.infer<typeof Piece>[]): ScriptedCall {
  for (const { kind, text } of pieces)
    if (kind === "text") call.text(text);
    else call.event(toChunk({ reasoning_content: text }));
  return call;
}
const Piece = z.object({ kind: z.string(), text: z.string() });

function readQuestion({ body }: ScriptedCall): string {
  return String(body.messages.findLast(({ role }) => role === "user")?.content);
}

describe("random turns with items", { timeout: 600_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const hand = { command: process.execPath, args: [script], tools: { echo: "read", pid: "read" } };
  const toolsFile = useToolsFile({ hand });
  const variables = () => ({ ...toolsFile(), SHOW_REASONING: "true" });
  const here = useApp(model, variables, { database });
  const there = useApp(model, variables, { database });
  useResource(async () => {
    await here.app.tools?.ready(60_000);
  });

  /** What the model says in the rest of each turn, by its question. */
  const scripts = new Map<string, Script[]>();

  test(`resumed ${turnsCount * resumesPerTurn} times never differ`, async (context: TestContext) => {
    const figures = { resumes: 0, differing: 0 };
    model.script = (call) => scripts.get(readQuestion(call))?.shift()?.(call);
    const waiting = turns.entries();
    const resumeTurns = async (): Promise<void> => {
      for (const [index, steps] of waiting) await resumeTurn(context, index, steps, figures);
    };
    await Promise.all(Array.from({ length: lanes }, resumeTurns));
    context.diagnostic(`figure: events that differ on resume ${figures.differing} of ${figures.resumes}`);
    assert.deepEqual(figures, { resumes: turnsCount * resumesPerTurn, differing: 0 });
  });

  async function resumeTurn(
    context: TestContext,
    index: number,
    steps: (typeof turns)[number],
    figures: { resumes: number; differing: number },
  ): Promise<void> {
    const held = Promise.withResolvers<ScriptedCall>();
    scripts.set(`Turn ${index}`, [
      ...steps.map(({ pieces, calls }, at): Script => (call) => {
        if (at === 0) call.text("- Plan\n---RESPONSE---\nFirst. ");
        say(call, pieces);
        for (const { name, input } of calls) call.toolCall(`hand__${name}`, input);
        call.finish("tool_calls");
      }),
      (call) => held.resolve(call.text(last)),
    ]);
    const turnId = randomUUID();
    const body = { messages: [{ sender: "user", text: `Turn ${index}` }] };
    const all = await readToLast(
      await here.open("POST", "/stream-chat", body, { ...typed, "x-turn-id": turnId }),
    );
    const saved = all.filter(isSaved);
    // One follower stays, so that the rows are read once for all others.
    const steady = await there.open("GET", `/turns/${turnId}/stream`, undefined, typed);
    const resume = async (app: RunningApp, from: Event): Promise<void> => {
      const path = `/turns/${turnId}/stream?after=${from.position}.${from.ordinal}`;
      const events = await readToLast(await app.open("GET", path, undefined, typed));
      const expected = after(app === here ? all : saved, from);
      figures.resumes += 1;
      // Rows keep the members of an output in another order.
      if (isDeepStrictEqual(joinTexts(events), joinTexts(expected))) return;
      figures.differing += 1;
      context.diagnostic(`${path} ${JSON.stringify(events)} instead of ${JSON.stringify(expected)}`);
    };
    const places = all.slice(0, -1);
    const chosen = Array.from({ length: resumesPerTurn }, (_, nth) => places[nth % places.length]);
    for (let start = 0; start < resumesPerTurn; start += 25) {
      const batch = chosen.slice(start, start + 25);
      await Promise.all(
        batch.flatMap((from, nth) =>
          from === undefined ? [] : [resume(nth % 2 === 0 ? here : there, from)],
        ),
      );
    }
    steady.destroy();
    (await held.promise).finish();
  }
});
