/** One conversation: its messages, and the field for the next one. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { goTo } from "../base/address.ts";
import { usePage } from "../base/page-context.ts";
import { useStore } from "../base/use-store.ts";
import { strings } from "../strings/strings.ts";
import "../styles/chat.css";
import { ChatNotices } from "./chat-notices.tsx";
import { Composer } from "./composer/composer.tsx";
import { BrowserMemory } from "./conversation/browser-memory.ts";
import type { Conversation } from "./conversation/conversation.ts";
import { EmptyChat } from "./empty-chat.tsx";
import { MessageList } from "./messages/message-list.tsx";
import { ReplyAnnouncer } from "./messages/reply-announcer.tsx";
import { useConversation } from "./use-conversation.ts";

/** Shows the conversation that the address names, or a new one. */
export function ChatView() {
  const { userId } = usePage();
  const memory = useMemo(() => new BrowserMemory(localStorage, userId), [userId]);
  const [model, setModel] = useState(() => memory.readModel());
  const conversation = useConversation(memory);
  return (
    <div class="chat" key={conversation.id}>
      <ChatBody
        conversation={conversation}
        memory={memory}
        model={model}
        onModel={(chosen) => {
          setModel(chosen);
          memory.writeModel(chosen);
        }}
      />
    </div>
  );
}

interface BodyProps {
  readonly conversation: Conversation;
  readonly memory: BrowserMemory;
  readonly model: string | undefined;
  readonly onModel: (model: string) => void;
}

function ChatBody({ conversation, memory, model, onModel }: BodyProps) {
  const { chat } = strings;
  const { config } = usePage();
  const phase = useStore(conversation.store, (state) => state.phase);
  const title = useStore(conversation.store, (state) => state.title);
  const isEmpty = useStore(conversation.store, (state) => state.messages.length === 0);
  useEffect(() => {
    document.title = title === undefined ? config.title : `${title} · ${config.title}`;
  }, [title, config.title]);
  if (phase === "missing")
    return (
      <div class="chat-centre">
        <p>{chat.missing}</p>
        <button type="button" onClick={() => goTo(undefined)}>
          {chat.startNew}
        </button>
      </div>
    );
  const send = (): void => goTo(conversation.id, { replace: true });
  return (
    <>
      <h1 class="visually-hidden">{title ?? chat.newTitle}</h1>
      {phase === "loading" && <p class="chat-centre muted">{chat.loading}</p>}
      {phase === "failed" && (
        <div class="chat-centre">
          <p>{chat.loadFailed}</p>
          <button type="button" onClick={() => void conversation.load()}>
            {chat.tryAgain}
          </button>
        </div>
      )}
      {phase === "ready" && isEmpty && (
        <EmptyChat
          onExample={(text) => {
            send();
            void conversation.send({ text, model });
          }}
        />
      )}
      {phase === "ready" && !isEmpty && <MessageList conversation={conversation} model={model} />}
      <ReplyAnnouncer conversation={conversation} />
      <ChatNotices conversation={conversation} />
      <Composer {...{ conversation, memory, model, onModel }} onSend={send} />
    </>
  );
}
