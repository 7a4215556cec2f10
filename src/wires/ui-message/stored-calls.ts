/** The chunks of a stored reply's tool calls, with the notes of its turns about them. */
import type { CallNote } from "../../history/history.ts";
import type { ToolPart } from "../../turn/items/tool.ts";
import type { UiToolChunk } from "./chunk.ts";
import { ToolChunks } from "./tool-chunks.ts";

const place = { position: 0, ordinal: 0 };

/** Returns a function from the calls of a reply, in their order, to their chunks. */
export function toStoredCallChunks(notes: readonly CallNote[]): (call: ToolPart) => readonly UiToolChunk[] {
  const shown = new ToolChunks();
  const byCall = Map.groupBy(notes, ({ callId }) => callId);
  return ({ callId, name, runsOn, step, input, outcome }) => {
    const own = byCall.get(callId) ?? [];
    const title = own.find((note) => note.type === "tool-call")?.title;
    return [
      ...shown.toChunks({ type: "tool-call", callId, name, title, runsOn, step, input, ...place }),
      ...own.flatMap((note) => (note.type === "tool-call" ? [] : shown.toChunks({ ...note, ...place }))),
      ...(outcome === undefined ? [] : shown.toChunks({ type: "tool-result", callId, ...outcome, ...place })),
    ];
  };
}
