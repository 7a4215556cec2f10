/** The chunks of tool calls, from their events: each call is announced before anything else about it. */
import type { ToolRunner } from "../../turn/items/tool.ts";
import type {
  ApprovalResponse,
  ItemEvent,
  ToolCall,
  ToolCallStart,
  ToolResult,
} from "../../turn/turn-event.ts";
import type { UiToolChunk, UiToolFlags } from "./chunk.ts";

/** An event about a tool call. */
export type ToolEvent = Extract<ItemEvent, { readonly callId: string }>;

/** A call that the client's message may have a part of. */
interface KnownCall {
  readonly runsOn: ToolRunner;
  /** The whole call, once it is known. */
  readonly call: ToolCall | undefined;
  /** Whether the client knows the call, in part or as a whole. */
  readonly isShown: boolean;
  /** Whether the client gets its arguments in pieces. */
  readonly isStarted: boolean;
  /** Its user's approval, if it ever needed one. */
  readonly approvalId: string | undefined;
}

const invalidInput = "The arguments of this call are not valid JSON.";
const invalidOutput = "The output of this call cannot be shown.";
const approvalExpired = "The approval was not given in time.";

/** Converts the events of tool calls. */
export class ToolChunks {
  readonly #calls = new Map<string, KnownCall>();

  /** Notes an event whose chunks the client already has, if its message has a part of the call. */
  skip(event: ToolEvent, isShown: boolean): void {
    this.#note(event, isShown);
  }

  /** Returns the chunks of an event. */
  toChunks(event: ToolEvent): readonly UiToolChunk[] {
    const { callId: toolCallId } = event;
    const missing = this.#announce(event);
    const known = this.#note(event, true);
    if (known === undefined) return [];
    switch (event.type) {
      case "tool-call-start":
        return [{ type: "tool-input-start", ...toCall(event) }];
      case "tool-call-delta":
        return known.isStarted ? [{ type: "tool-input-delta", toolCallId, inputTextDelta: event.text }] : [];
      case "tool-call":
        return [toInput(event)];
      case "tool-result":
        return [...missing, toOutput(event, known)];
      case "approval-request":
        return [...missing, { type: "tool-approval-request", approvalId: event.approvalId, toolCallId }];
      case "approval-response":
        // The client finds the call by its approval, which it must know.
        return known.approvalId === event.approvalId ? [...missing, toApprovalResponse(event)] : [];
    }
  }

  /** Returns the chunks that the client lacks of a call that it should know already. */
  #announce({ type, callId }: ToolEvent): readonly UiToolChunk[] {
    const known = this.#calls.get(callId);
    if (type === "tool-call-start" || known?.call === undefined || known.isShown) return [];
    const { approvalId } = known;
    return [
      toInput(known.call),
      ...(approvalId === undefined
        ? []
        : [{ type: "tool-approval-request" as const, approvalId, toolCallId: callId }]),
    ];
  }

  /** Adds an event to its call, and returns the call; `undefined` if it never began. */
  #note(event: ToolEvent, isShown: boolean): KnownCall | undefined {
    const before = this.#calls.get(event.callId);
    const isCall = event.type === "tool-call-start" || event.type === "tool-call";
    const runsOn = isCall ? event.runsOn : before?.runsOn;
    if (runsOn === undefined) return undefined;
    const known: KnownCall = {
      runsOn,
      call: event.type === "tool-call" ? event : before?.call,
      isShown,
      isStarted: event.type === "tool-call-start" ? isShown : before?.isStarted === true,
      approvalId: event.type === "approval-request" ? event.approvalId : before?.approvalId,
    };
    this.#calls.set(event.callId, known);
    return known;
  }
}

function toFlags(runsOn: ToolRunner): UiToolFlags {
  return runsOn === "server" ? { providerExecuted: true, dynamic: true } : {};
}

/** Returns the fields that announce a call. */
function toCall({ callId: toolCallId, name: toolName, title, runsOn }: ToolCallStart | ToolCall) {
  return { toolCallId, toolName, ...(title !== undefined && { title }), ...toFlags(runsOn) };
}

function toInput(event: ToolCall): UiToolChunk {
  const call = toCall(event);
  const { input } = event;
  try {
    const value = input.trim() === "" ? {} : toSafeJson(JSON.parse(input));
    return { type: "tool-input-available", ...call, input: value };
  } catch {
    return { type: "tool-input-error", ...call, input, errorText: invalidInput };
  }
}

function toOutput({ callId: toolCallId, status, output }: ToolResult, known: KnownCall): UiToolChunk {
  const flags = toFlags(known.runsOn);
  // The client expects an approval in a part that is denied.
  if (status === "denied" && known.approvalId !== undefined)
    return { type: "tool-output-denied", toolCallId };
  try {
    if (status === "complete")
      return { type: "tool-output-available", toolCallId, output: toSafeJson(output) ?? null, ...flags };
    const errorText = typeof output === "string" ? output : JSON.stringify(output ?? null);
    return { type: "tool-output-error", toolCallId, errorText, ...flags };
  } catch {
    return { type: "tool-output-error", toolCallId, errorText: invalidOutput, ...flags };
  }
}

function toApprovalResponse({ approvalId, decision, reason }: ApprovalResponse): UiToolChunk {
  const told = decision === "expired" ? (reason ?? approvalExpired) : reason;
  return {
    type: "tool-approval-response",
    approvalId,
    approved: decision === "approved",
    ...(told !== undefined && { reason: told }),
  };
}

/** Keys that can make the AI SDK refuse a whole stream. */
const suspectKey = /"(?:__proto__|constructor)":/;

/**
 * Returns `value` without the keys that the AI SDK refuses.
 * @throws RangeError if it is nested too deeply to be sent.
 */
function toSafeJson(value: unknown): unknown {
  const json = JSON.stringify(value);
  if (json === undefined || !suspectKey.test(json)) return value;
  const safe: unknown = JSON.parse(json, (key, inner: unknown) => {
    const hasPrototype = typeof inner === "object" && inner !== null && Object.hasOwn(inner, "prototype");
    return key === "__proto__" || (key === "constructor" && hasPrototype) ? undefined : inner;
  });
  return safe;
}
