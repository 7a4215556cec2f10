/** Foreword's wires as their clients use them: the request of a turn, and the answer in its response. */
import { randomUUID } from "node:crypto";
import { toBody, type Script } from "./script.ts";

/** The wire with which the others are compared. */
export const yardstick = "/v1/chat/completions";

const boundary = "\n---RESPONSE---\n";

/** One wire. */
export interface Wire {
  readonly name: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Returns the body that asks `prompt` in a conversation of its own. */
  toRequest(prompt: string): object;
  /** Matches each piece of the answer, as JSON; absent for plain text. */
  readonly piece?: RegExp;
}

const toQuestion = (prompt: string): object => ({ messages: [{ sender: "user", text: prompt }] });

/** All wires. */
export const wires: readonly Wire[] = [
  { name: "plain text", path: "/stream-chat", toRequest: toQuestion },
  {
    name: "typed events",
    path: "/stream-chat",
    headers: { accept: "text/event-stream" },
    toRequest: toQuestion,
    piece: /"type":"answer-delta","text":("(?:[^"\\]|\\.)*")/g,
  },
  {
    name: "/api/chat",
    path: "/api/chat",
    toRequest: (prompt) => ({
      id: randomUUID(),
      messages: [{ id: "m", role: "user", parts: [{ type: "text", text: prompt }] }],
    }),
    piece: /"type":"text-delta","id":"answer","delta":("(?:[^"\\]|\\.)*")/g,
  },
  {
    name: yardstick,
    path: yardstick,
    toRequest: (prompt) => ({
      model: "bench+plan",
      stream: true,
      messages: [{ role: "user", content: prompt }],
    }),
    piece: /"content":("(?:[^"\\]|\\.)*")/g,
  },
  {
    name: "/v1/responses",
    path: "/v1/responses",
    toRequest: (prompt) => ({ model: "bench+plan", stream: true, input: prompt }),
    piece: /"type":"response\.output_text\.delta"[^\n]*?"delta":("(?:[^"\\]|\\.)*")/g,
  },
  {
    name: "/ag-ui",
    path: "/ag-ui",
    toRequest: (prompt) => ({
      threadId: randomUUID(),
      runId: randomUUID(),
      state: {},
      messages: [{ id: "u", role: "user", content: prompt }],
      tools: [],
      context: [],
      forwardedProps: {},
    }),
    piece: /"type":"TEXT_MESSAGE_CONTENT"[^\n]*?"delta":("(?:[^"\\]|\\.)*")/g,
  },
];

/** Returns the answer of a script. */
export function toAnswer(script: Script): string {
  return toBody(script, "plan").toString().split(boundary)[1] ?? "";
}

/** Returns the answer in a response. */
export function readAnswer({ piece }: Wire, body: string): string {
  if (piece === undefined) return body.split(boundary)[1] ?? "";
  return Array.from(body.matchAll(piece), ([, json = '""']) => String(JSON.parse(json))).join("");
}
