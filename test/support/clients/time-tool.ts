/** A tool that clients run, a model that calls it, and the prompt that the model gets in the end. */
import { z } from "zod";
import type { ScriptedCall, ScriptedModel } from "../model/scripted-model.ts";

/** The arguments of the tool. */
export const City = z.object({ city: z.string() });
export const description = "The time in a city.";
export const times: Readonly<Record<string, string>> = { Lima: "07:15", Oslo: "13:15" };

/** Asks for the time in two cities at once. */
export function askForTwo(call: ScriptedCall): void {
  call
    .text("Let me see.")
    .toolCall("get_time", { city: "Lima" }, "call_a")
    .toolCall("get_time", { city: "Oslo" }, "call_b")
    .finish("tool_calls");
}

/** Asks for the time in two cities at once, then for that in one, then says both. */
export const timeSteps = [
  askForTwo,
  (call: ScriptedCall) => call.toolCall("get_time", { city: "Lima" }, "call_c").finish("tool_calls"),
  (call: ScriptedCall) => call.text("Lima 07:15, ").text("Oslo 13:15.").finish(),
];

/** The messages of the last prompt: their authors and calls. */
export const timePrompt = [
  ["user"],
  ["assistant", "call_a", "call_b"],
  ["tool", "call_a"],
  ["tool", "call_b"],
  ["assistant", "call_c"],
  ["tool", "call_c"],
];

const Sent = z.looseObject({
  role: z.string(),
  tool_call_id: z.string().optional(),
  tool_calls: z.array(z.object({ id: z.string() })).optional(),
});

/** Returns the messages of the model's last request, as {@link timePrompt} has them. */
export function toLastPrompt(model: ScriptedModel): unknown[] {
  return (model.calls.at(-1)?.body.messages ?? []).map((message) => {
    const { role, tool_call_id: id, tool_calls: calls } = Sent.parse(message);
    return [role, ...(id === undefined ? [] : [id]), ...(calls ?? []).map((call) => call.id)];
  });
}

/** The stored messages of the exchange. */
export const timeRows = [
  ["user", "Hi"],
  ["assistant", "Let me see.\n\nLima 07:15, Oslo 13:15."],
];
