/** The state of the history, for its components. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { ConversationActions } from "./conversation-actions.ts";
import type { ConversationList } from "./conversation-list.ts";

/** The list, and the actions on its conversations. */
export interface HistoryServices {
  readonly list: ConversationList;
  readonly actions: ConversationActions;
  /** Closes the drawer, if the list is in one. */
  readonly leave: () => void;
}

/** Provides {@link HistoryServices}. */
export const HistoryContext = createContext<HistoryServices | undefined>(undefined);

/** Returns the state of the history. */
export function useHistory(): HistoryServices {
  const services = useContext(HistoryContext);
  if (services === undefined) throw new Error("outside of the history");
  return services;
}
