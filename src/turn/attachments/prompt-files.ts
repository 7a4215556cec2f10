/** The PDFs in a prompt, which not every model server reads. */
import type { Prompt } from "../instructions.ts";
import type { Image, Message } from "../message.ts";

const isPdf = ({ mimeType, data }: Image): boolean => mimeType === "application/pdf" && data !== "";
const hasPdf = ({ role, images }: Message): boolean => role === "user" && images.some(isPdf);

/** Whether a chat that is no client's own holds PDFs. */
export function hasFiles(prompt: Prompt): boolean {
  return prompt.kind === "chat" && prompt.messages.some(hasPdf);
}

/** Whether the newest message of its user holds one: a reply without it would not be about that message. */
export function isAboutFile(prompt: Prompt): boolean {
  const newest = prompt.kind === "chat" ? prompt.messages.findLast(({ role }) => role === "user") : undefined;
  return newest !== undefined && hasPdf(newest);
}

/** Returns `prompt` without its PDFs, and without messages that hold nothing else. */
export function withoutFiles(prompt: Prompt): Prompt {
  if (!hasFiles(prompt) || prompt.kind !== "chat") return prompt;
  const messages = prompt.messages.flatMap((message) => {
    if (!hasPdf(message)) return [message];
    const images = message.images.filter((image) => !isPdf(image));
    return images.length === 0 && message.text === "" ? [] : [{ ...message, images }];
  });
  return { ...prompt, messages };
}
