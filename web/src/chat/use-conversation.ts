/** The conversation that the address names, as long as it does. */
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { address } from "../base/address.ts";
import { changes } from "../base/changes.ts";
import { usePage, type PageServices } from "../base/page-context.ts";
import { useStore } from "../base/use-store.ts";
import { browserClock } from "../base/clock.ts";
import { IndexedFiles } from "../base/indexed-files.ts";
import { BrowserMemory } from "./conversation/browser-memory.ts";
import { Conversation } from "./conversation/conversation.ts";
import { Drafts } from "./conversation/drafts.ts";
import type { FileStorage } from "./conversation/kept-files.ts";

/** What the browser keeps of the user's conversations. */
interface Kept {
  readonly memory: BrowserMemory;
  readonly files: FileStorage;
  readonly drafts: Drafts;
}

/** Opens what the browser keeps for a user. */
export function openKept({ userId, config }: Pick<PageServices, "userId" | "config">): Kept {
  const memory = new BrowserMemory(localStorage, userId);
  // What the server offers no more.
  if (config.webSearch !== true) memory.writeWebSearch(false);
  if (config.knowledge !== true) memory.writeKnowledgeBase(undefined);
  const files = new IndexedFiles();
  return { memory, files, drafts: new Drafts(memory, files) };
}

/** How long a hidden page, which has no frames, collects pieces of a reply, in milliseconds. */
const hiddenMs = 250;

/** Returns the conversation of the address, loaded, or a new one. */
export function useConversation(kept: Kept): Conversation {
  const page = usePage();
  const id = useStore(address, (current) => current);
  const [conversation, setConversation] = useState(() => open(page, kept, id));
  useLayoutEffect(() => {
    const isShown = id === undefined ? conversation.isNew : conversation.id === id;
    if (!isShown) setConversation(open(page, kept, id));
  }, [page, kept, id, conversation]);
  useEffect(() => {
    for (const unsent of kept.memory.listUnsent())
      if (unsent !== address.state) void create(page, kept, unsent).deliver();
  }, [page, kept]);
  useEffect(() => {
    const refresh = (): void => {
      if (document.visibilityState === "visible") void conversation.refresh();
    };
    document.addEventListener("visibilitychange", refresh);
    return () => {
      document.removeEventListener("visibilitychange", refresh);
      conversation.close();
    };
  }, [conversation]);
  return conversation;
}

function open(page: PageServices, kept: Kept, id: string | undefined): Conversation {
  const conversation = create(page, kept, id);
  if (id !== undefined) void conversation.load();
  return conversation;
}

function create({ client, network }: PageServices, kept: Kept, id: string | undefined): Conversation {
  const services = { client, network, ...kept, changes, clock: browserClock, schedule };
  return new Conversation(services, id ?? crypto.randomUUID(), id === undefined);
}

function schedule(draw: () => void): void {
  if (document.visibilityState === "visible") requestAnimationFrame(draw);
  else setTimeout(draw, hiddenMs);
}
