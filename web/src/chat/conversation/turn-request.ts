/**
 * Requests for turns: first without what is large, which is kept elsewhere, and completed when they
 * leave.
 */
import { toChatImage, type ChatImage, type ChatRequest } from "../../base/foreword-client.ts";
import type { Message, ShownFile } from "./message.ts";

/** A message to send. */
export interface Question {
  readonly text: string;
  /** Stored files are sent by their URL. */
  readonly files?: readonly ShownFile[] | undefined;
  readonly model?: string | undefined;
}

/** Where a question goes. */
export interface QuestionPlace {
  readonly parentId: string | null;
  readonly ifRunning?: "reject";
  /** The message to answer again, instead of a new one. */
  readonly again?: Message;
  /** The message that it replaces by another version. */
  readonly editedId?: string;
}

/** A file of a message cannot be read: its user has changed or deleted it, or the browser has not kept it. */
export class LostFileError extends Error {}

/** Returns the request for a reply to a message with these files, without its text and its new files. */
export function toRequest(
  options: Omit<ChatRequest, "messages">,
  earlier: readonly Message[],
  files: readonly ShownFile[],
): ChatRequest {
  const last = { sender: "user", text: "", images: toStoredImages(files) } as const;
  return { ...options, messages: [...earlier.map(toSentMessage), last] };
}

/**
 * Resolves with the whole request, with `fileCount` new files.
 * @throws LostFileError
 */
export async function completeRequest(
  request: ChatRequest,
  { text, files }: Pick<Message, "text" | "files">,
  fileCount: number,
): Promise<ChatRequest> {
  const last = request.messages.at(-1);
  if (last === undefined) return request;
  const { images: stored = [] } = last;
  const added = await toNewImages(files);
  if (added.length < fileCount) throw new LostFileError("the browser has not kept a file");
  const whole = { ...last, text, images: [...stored, ...added] };
  return { ...request, messages: [...request.messages.slice(0, -1), whole] };
}

async function toNewImages(files: readonly ShownFile[]): Promise<readonly ChatImage[]> {
  try {
    return await Promise.all(files.flatMap((shown) => ("file" in shown ? toChatImage(shown.file) : [])));
  } catch (cause) {
    throw new LostFileError("a file cannot be read", { cause });
  }
}

/** Returns a message as it is sent to a server that keeps none. */
function toSentMessage({ role, text, files }: Message): ChatRequest["messages"][number] {
  return { sender: role, text, images: toStoredImages(files) };
}

function toStoredImages(files: readonly ShownFile[]): readonly ChatImage[] {
  return files.flatMap((file) => ("url" in file ? { url: file.url, name: file.name ?? undefined } : []));
}
