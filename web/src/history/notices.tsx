/** What the user has just done, with a button to undo it. */
import { useStore } from "../base/use-store.ts";
import { strings } from "../strings/strings.ts";
import type { Notice } from "./conversation-actions.ts";
import { toCount } from "./delete-all.tsx";
import { describeProblem } from "./describe-problem.ts";
import { useHistory } from "./history-context.ts";

/** Shows the notices of a few seconds, and failures until they are dismissed. */
export function Notices() {
  const { actions } = useHistory();
  const notices = useStore(actions, (state) => state);
  return (
    <div class="history-notices" role="status">
      {notices.map((notice) => (
        <div class="history-notice" key={notice.key}>
          <p>{toText(notice)}</p>
          <button
            type="button"
            onClick={() => (isFinal(notice) ? actions.dismiss(notice.key) : void actions.undo(notice))}
          >
            {isFinal(notice) ? strings.history.dismiss : strings.history.undo}
          </button>
        </div>
      ))}
    </div>
  );
}

/** Whether nothing is there to be undone. */
function isFinal({ type }: Notice): boolean {
  return type === "failed" || type === "all-kept";
}

function toText(notice: Notice): string {
  const { notices, failed, problems } = strings.history;
  if (notice.type === "all-kept") return notices[notice.type];
  if (notice.type === "all-deleted") return notices[notice.type](toCount(notice.count));
  if (notice.type !== "failed") return notices[notice.type](notice.conversation.title);
  return `${failed[notice.action]} ${describeProblem(notice.error, problems, navigator.onLine).text}`;
}
