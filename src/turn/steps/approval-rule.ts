/** The rule which calls of this server's tools run, which wait for their user, and which are refused. */
import { parseInput } from "../items/tool-input.ts";
import type { ServerTool, ToolOutcome } from "../items/tool.ts";
import type { SavedItem, SourceKind } from "../turn-event.ts";

/** The fate of a call: `refuse` if it would have to be approved, and its turn cannot ask. */
export type CallDecision = "run" | "ask" | "refuse";

/** A call as far as the rule reads it. */
export interface JudgedCall {
  /** `undefined` if there is no such tool. */
  readonly tool: ServerTool | undefined;
  readonly input: string;
}

/** The options of the rule of a turn. */
export interface ApprovalRuleOptions {
  /** Whether the turn's user can be asked, and the turn can wait for the answer. */
  readonly canAsk: boolean;
  /** The kinds of sources after which tools that act run as after none. */
  readonly trustedSources: readonly SourceKind[];
  /** Returns the items of the turn so far. */
  readonly listItems: () => readonly SavedItem[];
}

/** Decides about the calls of a turn. */
export type ApprovalRule = (call: JudgedCall) => CallDecision;

/**
 * Returns the rule of a turn. Once its model was given sources, which anyone may have written, no tool acts
 * without its user's approval, whatever the settings allow.
 */
export function createApprovalRule({ canAsk, trustedSources, listItems }: ApprovalRuleOptions): ApprovalRule {
  // All sources come before the model is asked. A turn that goes on after a wait has them, too.
  let hasUntrusted: boolean | undefined;
  const hasUntrustedSources = (): boolean =>
    (hasUntrusted ??= listItems().some(
      (item) => item.type === "source" && !trustedSources.includes(item.kind),
    ));
  return ({ tool, input }) => {
    // Broken arguments are refused anyway.
    if (tool === undefined || parseInput(input) === undefined) return "run";
    if (tool.needsApproval) return "ask";
    if (tool.onlyReads || !hasUntrustedSources()) return "run";
    return canAsk ? "ask" : "refuse";
  };
}

/** The outcome of a refused call. */
export const refusedOutcome: ToolOutcome = {
  status: "failed",
  output:
    "The tool was not called: it acts, this turn has read sources, so its user would have to approve the call, and this request cannot ask.",
};
