/** The stage of a turn before its model is asked: sources are looked for, beside the begin. */
import { charsPerToken } from "../context/read-chars.ts";
import type { Model } from "../ports.ts";
import type { ReplyEvents } from "../reply-events.ts";
import { toChat, type TurnRequest } from "../turn-request.ts";
import type { Gathering, Grounding } from "./grounding.ts";
import { toMaterial, type Material } from "./material.ts";

/**
 * Starts to look for the sources that `request` asks for. When that is over, `reply` gets their items, and
 * `ask` the request with their text, unless the search was aborted.
 * @returns `undefined` if there is nothing to look for: nothing was done.
 */
export function startSourceStage(
  request: TurnRequest,
  { grounding, model }: { readonly grounding: Grounding | undefined; readonly model: Model },
  reply: ReplyEvents,
  ask: (grounded: TurnRequest) => void,
): Pick<Gathering, "abort"> | undefined {
  if (grounding?.isAskedFor(request) !== true) return undefined;
  const { useWebSearch, knowledgeBase, caller } = request;
  const gathering = grounding.gather({ useWebSearch, knowledgeBase, caller, messages: toChat(request) });
  if (gathering === undefined) return undefined;
  let isAborted = false;
  void gathering.done.then((searches) => {
    if (isAborted) return;
    const material = toMaterial(searches, model.maxReadChars / charsPerToken);
    for (const item of material.items) reply.add(item);
    ask(toGrounded(request, material));
  });
  return {
    abort: () => {
      isAborted = true;
      gathering.abort();
    },
  };
}

/** Wishes that no search has answered stay: the model is told of them, as without sources. */
function toGrounded(request: TurnRequest, { instruction, isAnswered }: Material): TurnRequest {
  return {
    ...request,
    material: instruction,
    mayHaveSources: false,
    useWebSearch: request.useWebSearch && !isAnswered.web,
    knowledgeBase: isAnswered.document ? undefined : request.knowledgeBase,
  };
}
