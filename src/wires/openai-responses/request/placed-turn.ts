/** Places the turn of a request: below the stored messages that it names, with its input as new messages. */
import { refuse } from "../../../base/errors.ts";
import { checkContent } from "../../../http/request-fields.ts";
import type { TurnRequest } from "../../../turn/turn-request.ts";
import { resolveReferences } from "./references.ts";
import type { RequestedInput, UnplacedTurn } from "./request.ts";
import type { InputSources } from "./stored-input.ts";
import { toSentChat } from "./sent-chat.ts";

/** The names of results in this wire's requests. */
const resultFields = { list: "input", id: "call_id" } as const;

/**
 * Resolves with the turn that `requested` asks for, and its chat.
 * @throws AppError `invalid_request`, naming the field, `message_too_large`, `not_found`, or as
 * {@link resolveReferences} does.
 */
export async function placeTurn(
  requested: UnplacedTurn,
  input: RequestedInput,
  sources: InputSources,
): Promise<TurnRequest> {
  const { items, place } = await resolveReferences(input, requested.caller, sources);
  const { messages, extendsReply, results } = toSentChat(items);
  const turn = { ...requested, ...place, parentId: place.parentId };
  if (results.length > 0) {
    if (place.parentId === undefined)
      refuse(`${results[0]?.field}.call_id`, "must be the call_id of a function_call before it");
    if (extendsReply !== undefined || messages.some(({ role }) => role !== "user"))
      refuse(
        "input",
        "must hold only messages of the user beside the results of the previous response's calls",
      );
    // The reply that the results belong to is read first.
    const answered = { ...turn, continues: undefined, messages, toolResults: results, resultFields };
    const newest = messages.at(-1);
    if (newest === undefined) return { ...answered, wantsPlan: false };
    checkContent(newest, items.length - 1, "input");
    return answered;
  }
  const last = extendsReply ?? messages.at(-1);
  if (last === undefined) return refuse("input", "must not be empty");
  if (last.role === "assistant" && extendsReply === undefined)
    return refuse("input", "Last message must not be the assistant's");
  if (extendsReply === undefined) checkContent(last, items.length - 1, "input");
  // The plan was made before the tools ran.
  const wantsPlan = turn.wantsPlan && extendsReply === undefined;
  return { ...turn, messages, ...(extendsReply !== undefined && { extendsReply }), wantsPlan };
}
