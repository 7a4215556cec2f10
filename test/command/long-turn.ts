/** A turn that goes on until a test ends it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { ScriptedModel } from "../support/model/scripted-model.ts";

/** A running turn. */
export interface LongTurn {
  readonly id: string;
  /** Has its model say a little more, unless it is over. */
  readonly speak: () => void;
  /** Ends it; its reply must have arrived whole. */
  readonly end: () => Promise<void>;
}

/** Starts a turn of a new user at the server `url`. */
export async function startLongTurn(model: ScriptedModel, url: string): Promise<LongTurn> {
  const next = model.nextCall();
  const opening = fetch(`${url}/stream-chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ sender: "user", text: "Go on" }], userId: randomUUID() }),
  });
  let said = "- p\n---RESPONSE---\nWell, ";
  const call = (await next).text(said);
  const response = await opening;
  const reading = response.text();
  let isOver = false;
  return {
    id: String(response.headers.get("x-turn-id")),
    speak: () => {
      if (isOver) return;
      const piece = `#${said.length};`;
      call.text(piece);
      said += piece;
    },
    end: async () => {
      if (!isOver) call.finish();
      isOver = true;
      assert.equal(await reading, said);
    },
  };
}
