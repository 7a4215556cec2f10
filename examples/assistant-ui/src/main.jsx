/** The page: a list of threads, the messages of one, and a field for the next. */
import { createRoot } from "react-dom/client";
import {
  AssistantRuntimeProvider,
  ComposerPrimitive,
  MessagePrimitive,
  ThreadListItemPrimitive,
  ThreadListPrimitive,
  ThreadPrimitive,
} from "@assistant-ui/react";
import { useForeword } from "./runtime.js";

const Thread = () => (
  <ThreadListItemPrimitive.Root>
    <ThreadListItemPrimitive.Trigger>
      <ThreadListItemPrimitive.Title fallback="New chat" />
    </ThreadListItemPrimitive.Trigger>
  </ThreadListItemPrimitive.Root>
);

const parts = {
  Text: ({ text }) => <p>{text}</p>,
  Reasoning: ({ text }) => <aside>{text}</aside>, // the plan
};
const UserMessage = () => (
  <article data-role="user">
    <MessagePrimitive.Parts components={parts} />
  </article>
);
const AssistantMessage = () => (
  <article data-role="assistant">
    <MessagePrimitive.Parts components={parts} />
  </article>
);

function App() {
  return (
    <AssistantRuntimeProvider runtime={useForeword()}>
      <nav>
        <ThreadListPrimitive.New>New</ThreadListPrimitive.New>
        <ThreadListPrimitive.Items components={{ ThreadListItem: Thread }} />
      </nav>
      <ThreadPrimitive.Messages components={{ UserMessage, AssistantMessage }} />
      <ComposerPrimitive.Root>
        <ComposerPrimitive.Input placeholder="Message" />
        <ComposerPrimitive.Send>Send</ComposerPrimitive.Send>
        <ComposerPrimitive.Cancel>Stop</ComposerPrimitive.Cancel>
      </ComposerPrimitive.Root>
    </AssistantRuntimeProvider>
  );
}

createRoot(document.getElementById("root")).render(<App />);
