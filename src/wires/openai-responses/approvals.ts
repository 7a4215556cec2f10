/** A user's answers to requests for approval: with them, the turn goes on in its next response. */
import { AppError, refuse } from "../../base/errors.ts";
import type { Caller } from "../../base/caller.ts";
import { quoteId } from "../../http/request-fields.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import type { ApprovalAnswer } from "../../turn/records.ts";
import { parseItemId } from "./ids.ts";
import type { InputItem } from "./request/input-item.ts";
import { readOutput, type FoundResponse } from "./resource.ts";
import type { RequestedInput } from "./request/request.ts";

type Approval = Extract<InputItem, { readonly kind: "approval" }>;

/** An answer, and the name of its field. */
interface PlacedApproval {
  readonly item: Approval;
  readonly field: string;
  /** The turn that asked. */
  readonly turnId: string;
}

/** Whether the input answers requests for approval. */
export function hasApprovals({ items }: RequestedInput): boolean {
  return items.some(({ kind }) => kind === "approval");
}

/**
 * Stores the answers in `input`, and resolves with the response in which the turn goes on. Everything before
 * them is the chat so far, which the turn knows.
 * @throws AppError `invalid_request` for anything after them, for answers to several turns, or if one is
 * missing; `approval_not_found`; or as {@link LiveTurns.answerApprovals} does.
 */
export async function answerApprovals(
  live: LiveTurns,
  input: RequestedInput,
  caller: Caller,
): Promise<FoundResponse> {
  const approvals = findApprovals(input);
  const [first] = approvals;
  if (first === undefined) return refuse("input", "must answer a request for approval");
  const { turnId } = first;
  const before = await live.find(turnId, caller);
  if (before === undefined) throw toMissingApproval(first);
  const asked = readOutput(before, { turnId, leg: 0 });
  const answers = toAnswers(approvals, asked.approvals);
  const given = new Set(answers.map(({ approvalId }) => approvalId));
  const pending = before.log.last?.type === "turn-waiting" ? before.log.last.approvals : [];
  const open = pending.filter(({ approvalId }) => !given.has(approvalId));
  if (open.length > 0 && open.length < pending.length) refuseMissing(open, asked.approvals);
  const turn = await live.answerApprovals(turnId, caller, answers);
  const [answer] = answers;
  const leg = readOutput(turn, { turnId, leg: 0 }).answered.get(answer?.approvalId ?? "") ?? asked.leg + 1;
  return { turn, place: { turnId, leg } };
}

function findApprovals({ items, previous }: RequestedInput): readonly PlacedApproval[] {
  const approvals: PlacedApproval[] = [];
  for (const [index, item] of items.entries()) {
    const field = `input[${index}]`;
    if (item.kind !== "approval") {
      if (approvals.length > 0 && item.kind !== "none")
        refuse(field, "must not follow answers to requests for approval");
      continue;
    }
    const place = parseItemId(item.requestId);
    const placed = { item, field, turnId: place?.id ?? "" };
    if (place?.prefix !== "mcpr") throw toMissingApproval(placed);
    const [other] = approvals;
    if (other !== undefined && other.turnId !== place.id)
      refuse(`${field}.approval_request_id`, "must be of the same response as the others");
    if (previous !== undefined && previous.turnId !== place.id)
      refuse(`${field}.approval_request_id`, "must be of the response previous_response_id");
    approvals.push(placed);
  }
  return approvals;
}

function toAnswers(
  approvals: readonly PlacedApproval[],
  asked: ReadonlyMap<string, string>,
): readonly ApprovalAnswer[] {
  const seen = new Set<string>();
  return approvals.map((approval) => {
    const { requestId, isApproved, reason } = approval.item;
    const approvalId = asked.get(requestId.toLowerCase());
    if (approvalId === undefined) throw toMissingApproval(approval);
    if (seen.has(approvalId))
      refuse(`${approval.field}.approval_request_id`, "must be different from the others");
    seen.add(approvalId);
    return { approvalId, isApproved, reason };
  });
}

function toMissingApproval({ item, field }: PlacedApproval): AppError {
  const detail = `${field}.approval_request_id: ${quoteId(item.requestId)} was not found`;
  return new AppError("approval_not_found", detail, { detail, field: `${field}.approval_request_id` });
}

function refuseMissing(
  open: readonly { readonly approvalId: string }[],
  asked: ReadonlyMap<string, string>,
): never {
  const missing = new Set(open.map(({ approvalId }) => approvalId));
  const ids = Array.from(asked).flatMap(([id, approvalId]) => (missing.has(approvalId) ? [id] : []));
  return refuse("input", `must answer all requests for approval; missing: ${ids.join(", ")}`);
}
