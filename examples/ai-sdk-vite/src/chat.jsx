/** A chat with Foreword, by the AI SDK's `useChat`. */
import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport, isToolUIPart, lastAssistantMessageIsCompleteWithApprovalResponses } from "ai";
import { useState } from "react";

const transport = new DefaultChatTransport({
  api: "/api/chat",
  // The server has the rest of the chat.
  prepareSendMessagesRequest: ({ id, messages, trigger, messageId, body }) => ({
    body: { ...body, id, message: messages.at(-1), trigger, messageId },
  }),
});

/** The chat `id`, from the messages that the server has stored. */
export function Chat({ id, stored }) {
  const { messages, sendMessage, regenerate, addToolApprovalResponse, status, error } = useChat({
    id,
    messages: stored,
    resume: true,
    transport,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  });
  const [text, setText] = useState("");
  const isBusy = status === "submitted" || status === "streaming";

  const send = (event) => {
    event.preventDefault();
    if (text.trim() !== "") void sendMessage({ text });
    setText("");
  };
  // The hook's own stop would only leave the reply, which goes on.
  const stop = () => fetch(`/api/chat/${id}/stop`, { method: "POST" });

  return (
    <>
      {messages.map((message) => (
        <article key={message.id} data-role={message.role}>
          {message.parts.map((part, index) => (
            <Part key={index} part={part} answer={addToolApprovalResponse} />
          ))}
        </article>
      ))}
      {error && <p role="alert">{error.message}</p>}
      <form onSubmit={send}>
        <input value={text} onChange={(event) => setText(event.target.value)} placeholder="Message" />
        {isBusy ? (
          <button key="stop" type="button" onClick={stop}>
            Stop
          </button>
        ) : (
          <button key="send">Send</button>
        )}
        <button type="button" disabled={isBusy || messages.length === 0} onClick={() => void regenerate()}>
          Again
        </button>
      </form>
    </>
  );
}

function Part({ part, answer }) {
  if (part.type === "data-plan") return <aside>{part.data.text}</aside>;
  if (part.type === "text") return <p>{part.text}</p>;
  if (part.type === "file") return <img src={part.url} alt={part.filename ?? ""} width="200" />;
  if (!isToolUIPart(part)) return null;
  const name = part.title ?? part.toolName ?? part.type.slice("tool-".length);
  if (part.state !== "approval-requested") return <p>{`${name}: ${part.state}`}</p>;
  return (
    <p>
      {`${name} ${JSON.stringify(part.input)} `}
      <button type="button" onClick={() => answer({ id: part.approval.id, approved: true })}>
        Allow
      </button>
      <button type="button" onClick={() => answer({ id: part.approval.id, approved: false })}>
        Deny
      </button>
    </p>
  );
}
