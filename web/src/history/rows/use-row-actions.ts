/** What the menu of a row, and its keys, do with the conversation. */
import { address, goTo } from "../../base/address.ts";
import type { Conversation } from "../../base/foreword-client.ts";
import { strings } from "../../strings/strings.ts";
import { useHistory } from "../history-context.ts";
import { toFileName } from "../file-name.ts";
import { saveFile } from "../save-file.ts";
import type { MenuEntry } from "./row-menu.tsx";

/** Returns the entries of the menu but for renaming. Before the row leaves the list, `onGone` is called. */
export function useRowActions(
  conversation: Conversation,
  onGone: (conversation: Conversation) => void,
): { readonly remove: () => void; readonly entries: readonly MenuEntry[] } {
  const { actions } = useHistory();
  const { history, chat } = strings;
  const { id, title, archivedAt } = conversation;
  const remove = (): void => {
    onGone(conversation);
    if (address.state === id) goTo(undefined, { replace: true });
    actions.delete(conversation);
  };
  const archive = (): void => {
    onGone(conversation);
    void actions.archive(conversation, archivedAt === null);
  };
  const save = async (format: "markdown" | "json"): Promise<void> => {
    const text = await actions.export(conversation, format);
    if (text === undefined) return;
    const isJson = format === "json";
    saveFile(toFileName(title, isJson ? "json" : "md"), text, isJson ? "application/json" : "text/markdown");
  };
  return {
    remove,
    entries: [
      { label: archivedAt === null ? history.archive : history.unarchive, run: archive },
      { label: chat.exportMarkdown, run: () => void save("markdown") },
      { label: chat.exportJson, run: () => void save("json") },
      { label: history.delete, run: remove, isDangerous: true },
    ],
  };
}
