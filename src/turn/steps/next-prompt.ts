/** The prompts of a turn with tools: the first step's, and those of later steps with the reply so far. */
import { boundaryBytes, toBody } from "../body.ts";
import { toPrompt, type Prompt } from "../instructions.ts";
import type { Message } from "../message.ts";
import type { SavedItem } from "../turn-event.ts";
import { toChat, type TurnRequest } from "../turn-request.ts";
import { continueParts, joinTexts, toToolParts } from "../items/tool-parts.ts";
import type { ServerTool } from "../items/tool.ts";

/** The events of a reply so far. */
export interface SentEvents {
  /** Returns the body from byte `position` on. */
  textAfter(position: number): string;
  itemsAfter(): readonly SavedItem[];
}

/** Returns the items of a turn that is over, but for its reasoning. */
export function listItems(sent: SentEvents): readonly SavedItem[] {
  return sent.itemsAfter().filter(({ type }) => type !== "reasoning-delta");
}

/** Returns `prompt` with the tools of this server. */
export function toOfferingPrompt(prompt: Prompt, offered: readonly ServerTool[]): Prompt {
  return offered.length === 0 || prompt.kind !== "chat" ? prompt : { ...prompt, serverTools: offered };
}

/**
 * Returns the prompt of a later step: the chat, and the reply so far.
 * @param offered the tools of this server; `undefined` to offer none at all, the client's neither.
 */
export function toNextPrompt(
  request: TurnRequest,
  sent: SentEvents,
  offered: readonly ServerTool[] | undefined,
): Prompt {
  const { extendsReply, wantsPlan } = request;
  const body = sent.textAfter(0);
  // With a plan the model sees its reply in the form that it was asked for.
  const text = wantsPlan ? body : (toBody(body).answer ?? "");
  const parts = toToolParts(sent.itemsAfter(), text, wantsPlan ? 0 : boundaryBytes, false);
  const whole = joinTexts(extendsReply?.text ?? "", text);
  const reply: Message = {
    role: "assistant",
    text: whole,
    images: [],
    isAnswer: true,
    tools: continueParts(extendsReply?.tools ?? [], parts, whole.length - text.length),
  };
  const prompt = toPrompt(toChat({ ...request, extendsReply: reply }), request);
  return offered === undefined ? withoutTools(prompt) : toOfferingPrompt(withoutChoice(prompt), offered);
}

/** A call that the client demanded has been made. */
function withoutChoice(prompt: Prompt): Prompt {
  const { tool_choice: choice, ...parameters } = prompt.parameters;
  return choice === undefined || choice === "none" ? prompt : { ...prompt, parameters };
}

function withoutTools(prompt: Prompt): Prompt {
  const { tools: _, tool_choice: __, parallel_tool_calls: ___, ...parameters } = prompt.parameters;
  return { ...prompt, parameters };
}
