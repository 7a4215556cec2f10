/** The request of `POST /turns/:turnId/approvals`: a user's answers to calls that wait. */
import { refuse } from "../../base/errors.ts";
import { z } from "zod";
import { jsonBody } from "../../http/route.ts";
import { listOf } from "../../http/request-fields.ts";
import { toStorable } from "../../turn/message.ts";
import type { ApprovalAnswer } from "../../turn/records.ts";

/** The most answers of a request, and the longest reason, in UTF-16 code units. */
const maxAnswers = 256;
const maxReasonLength = 1_000;

const Answer = z.object({
  approvalId: z.string().min(1).max(256).describe("The id in the turn's `approvals`."),
  approved: z.boolean().describe("Whether the call may run."),
  reason: z.string().max(maxReasonLength).nullish().describe("Why, for the model."),
});

/** The body. Unknown fields are ignored. */
const ApprovalsRequest = z.object({
  approvals: listOf(Answer, maxAnswers)
    .refine((answers) => answers.length > 0, "must have an answer")
    .meta({ minItems: 1, description: "The answers. A repeated one changes nothing." }),
});

/** The body of the route. */
export const ApprovalsBody = jsonBody("ApprovalsRequest", ApprovalsRequest);

/** Returns the answers of a request. @throws AppError `invalid_request` for two answers to one call. */
export function toAnswers({ approvals }: z.output<typeof ApprovalsRequest>): readonly ApprovalAnswer[] {
  const ids = new Set<string>();
  return approvals.map(({ approvalId, approved, reason }, index) => {
    if (ids.has(approvalId)) refuse(`approvals[${index}].approvalId`, "must be different from the others");
    ids.add(approvalId);
    return { approvalId: toStorable(approvalId), isApproved: approved, reason: toReason(reason) };
  });
}

function toReason(reason: string | null | undefined): string | undefined {
  return toStorable(reason?.trim() ?? "") || undefined;
}
