/** One conversation: its messages, and the field for the next one. */
import { useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import { address, goTo } from "../base/address.ts";
import { usePage } from "../base/page-context.ts";
import { useStore } from "../base/use-store.ts";
import { strings } from "../strings/strings.ts";
import "../styles/chat.css";
import { ChatNotices } from "./chat-notices.tsx";
import { Composer } from "./composer/composer.tsx";
import type { Conversation } from "./conversation/conversation.ts";
import { EmptyChat } from "./empty-chat.tsx";
import { MessageList } from "./messages/message-list.tsx";
import { ReplyAnnouncer } from "./messages/reply-announcer.tsx";
import { openKept, useConversation } from "./use-conversation.ts";

/** Shows the conversation that the address names, or a new one. */
export function ChatView() {
  const { userId, config: offered } = usePage();
  const kept = useMemo(() => openKept({ userId, config: offered }), [userId, offered]);
  const { memory } = kept;
  const [model, setModel] = useState(() => memory.readModel());
  const conversation = useConversation(kept);
  return (
    <div class="chat" key={conversation.id}>
      <ChatBody
        conversation={conversation}
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
  readonly model: string | undefined;
  readonly onModel: (model: string | undefined) => void;
}

function ChatBody({ conversation, model, onModel }: BodyProps) {
  const { chat } = strings;
  const { config } = usePage();
  const phase = useStore(conversation.store, (state) => state.phase);
  const title = useStore(conversation.store, (state) => state.title);
  const isEmpty = useStore(conversation.store, (state) => state.messages.length === 0);
  useEffect(() => {
    document.title = title === undefined ? config.title : `${title} · ${config.title}`;
  }, [title, config.title]);
  useLayoutEffect(() => {
    // A question gives a new conversation its address, and takes it along if the server does not take it.
    const shown = conversation.isNew ? undefined : conversation.id;
    if (phase === "ready" && shown !== address.state) goTo(shown, { replace: true });
  }, [conversation, phase, isEmpty]);
  if (phase === "missing")
    return (
      <div class="chat-centre">
        <p>{chat.missing}</p>
        <button type="button" onClick={() => goTo(undefined)}>
          {chat.startNew}
        </button>
      </div>
    );
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
        <EmptyChat onExample={(text) => void conversation.send({ text, model })} />
      )}
      {phase === "ready" && !isEmpty && <MessageList conversation={conversation} model={model} />}
      <ReplyAnnouncer conversation={conversation} />
      <ChatNotices conversation={conversation} />
      <Composer {...{ conversation, model, onModel }} />
    </>
  );
}
