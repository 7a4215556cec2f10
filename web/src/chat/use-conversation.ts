/** The conversation that the address names, as long as it does. */
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { address } from "../base/address.ts";
import { changes } from "../base/changes.ts";
import { usePage, type PageServices } from "../base/page-context.ts";
import { useStore } from "../base/use-store.ts";
import type { BrowserMemory } from "./conversation/browser-memory.ts";
import { Conversation } from "./conversation/conversation.ts";

/** How long a hidden page, which has no frames, collects pieces of a reply, in milliseconds. */
const hiddenMs = 250;

/** Returns the conversation of the address, loaded, or a new one. */
export function useConversation(memory: BrowserMemory): Conversation {
  const page = usePage();
  const id = useStore(address, (current) => current);
  const [conversation, setConversation] = useState(() => open(page, memory, id));
  useLayoutEffect(() => {
    const isShown = id === undefined ? conversation.isNew : conversation.id === id;
    if (!isShown) setConversation(open(page, memory, id));
  }, [page, memory, id, conversation]);
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

function open(
  { client, network }: PageServices,
  memory: BrowserMemory,
  id: string | undefined,
): Conversation {
  const services = { client, network, memory, changes, schedule };
  const conversation = new Conversation(services, id ?? crypto.randomUUID(), id === undefined);
  if (id !== undefined) void conversation.load();
  return conversation;
}

function schedule(draw: () => void): void {
  if (document.visibilityState === "visible") requestAnimationFrame(draw);
  else setTimeout(draw, hiddenMs);
}
