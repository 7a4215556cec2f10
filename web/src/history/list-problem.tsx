/** Says why the list is empty, or not up to date. */
import { useStore } from "../base/use-store.ts";
import { strings } from "../strings/strings.ts";
import { describeProblem } from "./describe-problem.ts";
import { useHistory } from "./history-context.ts";

/** Shows a sentence, with a button to try again; nothing if all is well. */
export function ListProblem() {
  const { list } = useHistory();
  const problem = useStore(list, (state) => state.problem);
  const isEmpty = useStore(list, (state) => state.isLoaded && state.conversations.length === 0);
  const { query, isArchived } = useStore(list, (state) => state.shown);
  const words = strings.history;
  if (problem !== undefined) {
    const { text, isFinal } = describeProblem(problem, words.problems, navigator.onLine);
    return (
      <div class="history-problem" role="alert">
        <p>{text}</p>
        {!isFinal && (
          <button type="button" onClick={() => list.refresh()}>
            {words.tryAgain}
          </button>
        )}
      </div>
    );
  }
  const empty =
    query.trim() !== "" ? words.nothingFound : isArchived ? words.noArchived : words.noConversations;
  return (
    <p class="history-empty" role="status">
      {isEmpty ? empty : ""}
    </p>
  );
}
