/** The message that is being written: its text, which the browser keeps, and its files. */
import { toChatImage } from "foreword-client";
import { useRef, useState } from "preact/hooks";
import type { BrowserMemory } from "../conversation/browser-memory.ts";
import type { Conversation } from "../conversation/conversation.ts";
import { checkFiles, type FileProblem } from "./check-files.ts";

/** A message that is being written. */
export interface Draft {
  readonly text: string;
  readonly files: readonly File[];
  /** Why some files were not added. */
  readonly problems: readonly FileProblem[];
  readonly isEmpty: boolean;
  readonly write: (text: string) => void;
  /** Adds files; returns whether there were any. */
  readonly add: (files: FileList | null | undefined) => boolean;
  readonly remove: (file: File) => void;
  /** Sends it. If the server does not take it, it is there again. */
  readonly send: (model: string | undefined) => Promise<void>;
}

/** Returns the draft of a conversation. */
export function useDraft(conversation: Conversation, memory: BrowserMemory): Draft {
  const [text, setText] = useState(() => memory.readDraft(toDraftId(conversation)));
  const [files, setFiles] = useState<readonly File[]>([]);
  const [problems, setProblems] = useState<readonly FileProblem[]>([]);
  const current = useRef(text);
  const write = (next: string): void => {
    current.current = next;
    setText(next);
    memory.writeDraft(toDraftId(conversation), next);
  };
  return {
    text,
    files,
    problems,
    isEmpty: text.trim() === "" && files.length === 0,
    write,
    add: (list) => {
      const added = Array.from(list ?? []);
      if (added.length === 0) return false;
      const checked = checkFiles(files, added);
      setFiles([...files, ...checked.accepted]);
      setProblems(checked.problems);
      return true;
    },
    remove: (file) => setFiles(files.filter((other) => other !== file)),
    send: async (model) => {
      const sent = { text: text.trim(), files };
      write("");
      setFiles([]);
      setProblems([]);
      const shown = files.map((file) => ({ file, mediaType: file.type, name: file.name }));
      const images = await Promise.all(files.map(toChatImage));
      if (await conversation.send({ text: sent.text, files: shown, images, model })) return;
      write([sent.text, current.current].filter((part) => part !== "").join("\n"));
      setFiles((others) => [...sent.files, ...others]);
    },
  };
}

/** Returns the id under which a draft is kept: all new conversations share one. */
function toDraftId({ id, isNew }: Conversation): string | undefined {
  return isNew ? undefined : id;
}
