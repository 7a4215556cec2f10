/** Switches between the versions of a message. */
import { strings } from "../../strings/strings.ts";
import type { Conversation } from "../conversation/conversation.ts";
import type { Message } from "../conversation/message.ts";

/** Shows which version of a message is shown, if it has several, and leads to the others. */
export function BranchSwitcher(props: { readonly conversation: Conversation; readonly message: Message }) {
  const { conversation, message } = props;
  const { index, ids } = conversation.branches(message);
  if (ids.length < 2) return null;
  const toButton = (id: string | undefined, label: string, sign: string) => (
    <button
      type="button"
      class="quiet"
      aria-label={label}
      disabled={id === undefined}
      onClick={() => id !== undefined && void conversation.showBranch(id)}
    >
      <span aria-hidden="true">{sign}</span>
    </button>
  );
  return (
    <span class="branches">
      {toButton(ids[index - 1], strings.chat.earlierVersion, "‹")}
      <span class="visually-hidden">{strings.chat.version(index + 1, ids.length)}</span>
      <span aria-hidden="true">
        {index + 1}/{ids.length}
      </span>
      {toButton(ids[index + 1], strings.chat.laterVersion, "›")}
    </span>
  );
}
