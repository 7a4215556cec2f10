/** The text of summaries: their size, and the form in which a model is sent them. */
import { toStorable, type Message } from "../message.ts";
import type { ChatPrompt } from "./fit-prompt.ts";
import { countStart } from "./path-cut.ts";
import { cutToTokens } from "./token-count.ts";

/** The most tokens of a summary, by our estimate, and the largest share of a window that it takes. */
const maxSummaryTokens = 800;
const maxSummaryShare = 0.125;
/** The tokens of the sentences around a summary. */
const frameTokens = 60;

/** Returns the tokens that are kept free for a summary, whether there is one or not, so that no cut moves. */
export function toSummaryTokens(windowTokens: number): number {
  return Math.floor(Math.min(maxSummaryTokens, windowTokens * maxSummaryShare)) + frameTokens;
}

/**
 * Returns `prompt` with `summary` in its first message of a user, which every server takes: roles alternate
 * as before, and the summary, which may quote anything, has no more weight than the messages it stands for.
 * @param tokens as {@link toSummaryTokens} returns them.
 */
export function withSummary(prompt: ChatPrompt, summary: string, tokens: number): ChatPrompt {
  const { messages } = prompt;
  const start = countStart(messages);
  const [first] = messages.slice(start, start + 1);
  const frame = `[The start of this chat was left out to save space. A model has summarised it:]\n<summary>\n${cutToTokens(summary, tokens - frameTokens)}\n</summary>\n[The chat goes on after that.]`;
  const isUsers = first?.role === "user";
  const text = isUsers && first.text !== "" ? `${frame}\n\n${first.text}` : frame;
  const told: Message = isUsers ? { ...first, text } : { role: "user", text, images: [] };
  return {
    ...prompt,
    messages: [...messages.slice(0, start), told, ...messages.slice(isUsers ? start + 1 : start)],
  };
}

/** Returns a summary as it is stored: at most 800 tokens, and without the marks around it. */
export function toSummary(text: string): string {
  const plain = toStorable(text).replaceAll(/<\/?summary>/gi, "");
  return cutToTokens(plain.trim(), maxSummaryTokens);
}
