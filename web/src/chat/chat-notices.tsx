/**
 * What the user should know about the conversation: the network, a new version of the page, and requests
 * that failed.
 */
import { hasNewVersion } from "../base/later-parts.ts";
import { usePage } from "../base/page-context.ts";
import { useStore } from "../base/use-store.ts";
import { strings } from "../strings/strings.ts";
import type { Conversation } from "./conversation/conversation.ts";
import { toErrorWords } from "./messages/error-words.ts";

/** Shows notices above the composer. */
export function ChatNotices({ conversation }: { readonly conversation: Conversation }) {
  const { chat } = strings;
  const { network } = usePage();
  const state = useStore(network.store, (current) => current);
  const isOld = useStore(hasNewVersion, (known) => known);
  const problem = useStore(conversation.store, (current) => current.problem);
  return (
    <div class="notices">
      <div role="status">
        {state === "offline" && <p class="muted">{chat.offline}</p>}
        {state === "reconnecting" && <p class="muted">{chat.reconnecting}</p>}
        {isOld && (
          <p class="muted">
            {strings.page.newVersion}{" "}
            <button type="button" class="quiet" onClick={() => location.reload()}>
              {strings.page.reload}
            </button>
          </p>
        )}
      </div>
      <div role="alert">
        {problem !== undefined && (
          <p class="problem">
            {toErrorWords(problem, strings)}{" "}
            <button type="button" class="quiet" onClick={() => conversation.dismissProblem()}>
              {chat.dismiss}
            </button>
          </p>
        )}
      </div>
    </div>
  );
}
