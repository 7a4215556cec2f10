/** A tool call of a reply, and the question whether it may run. */
import { useId, useState } from "preact/hooks";
import { strings } from "../../strings/strings.ts";
import type { Conversation } from "../conversation/conversation.ts";
import type { ToolCall } from "../conversation/message.ts";
import { toToolName } from "./tool-name.ts";

interface ToolProps {
  readonly conversation: Conversation;
  readonly tool: ToolCall;
}

/** Shows a call, folded, with its input and result. */
export function ToolCallView({ conversation, tool }: ToolProps) {
  const { chat } = strings;
  const { approval, status, input, output } = tool;
  const { name, server } = toToolName(tool.name, tool.title);
  const isOpen = approval !== undefined;
  return (
    <details class={`item tool ${status ?? ""}`} open={isOpen}>
      <summary>
        <bdi>{name}</bdi>
        {server !== undefined && (
          <span class="muted">
            {" "}
            (<bdi>{server}</bdi>)
          </span>
        )}
        {status !== null && <span class="muted">: {chat.toolStates[status]}</span>}
      </summary>
      <h3>{chat.toolInput}</h3>
      <pre dir="ltr" tabIndex={0}>
        {toShownJson(input)}
      </pre>
      {output !== null && (
        <>
          <h3>{chat.toolOutput}</h3>
          <pre dir="auto" tabIndex={0}>
            {toShownOutput(output)}
          </pre>
        </>
      )}
      {approval !== undefined && <Approval conversation={conversation} approvalId={approval.approvalId} />}
    </details>
  );
}

function Approval(props: { readonly conversation: Conversation; readonly approvalId: string }) {
  const { conversation, approvalId } = props;
  const { chat } = strings;
  const reasonId = useId();
  const [reason, setReason] = useState("");
  const [isSent, setSent] = useState(false);
  const answer = (isApproved: boolean): void => {
    setSent(true);
    // If the server has not taken the answer, it can be given again.
    void conversation.approve(approvalId, isApproved, reason.trim()).then(setSent);
  };
  return (
    <div class="approval">
      <label htmlFor={reasonId}>{chat.reason}</label>
      <input
        id={reasonId}
        maxLength={1_000}
        value={reason}
        onInput={(event) => setReason(event.currentTarget.value)}
      />
      <button type="button" disabled={isSent} onClick={() => answer(true)}>
        {chat.approve}
      </button>
      <button type="button" disabled={isSent} onClick={() => answer(false)}>
        {chat.deny}
      </button>
    </div>
  );
}

/** Returns a result as text: that of MCP's text parts, else JSON. */
function toShownOutput(output: unknown): string {
  if (typeof output === "string") return output;
  const texts = readMcpTexts(output);
  return texts.length > 0 ? texts.join("\n\n") : JSON.stringify(output, undefined, 2);
}

function readMcpTexts(output: unknown): readonly string[] {
  if (typeof output !== "object" || output === null || !("content" in output)) return [];
  const { content } = output;
  const parts: readonly unknown[] = Array.isArray(content) ? content : [];
  return parts.flatMap((part) => {
    const isText = typeof part === "object" && part !== null && "text" in part;
    return isText && typeof part.text === "string" ? [part.text] : [];
  });
}

function toShownJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}
