/** Foreword by TanStack AI's client: two messages of one thread. */
import { randomUUID } from "node:crypto";
import { ChatClient, fetchServerSentEvents } from "@tanstack/ai-client";

const chat = new ChatClient({
  connection: fetchServerSentEvents(`${process.env["FOREWORD_URL"] ?? "http://127.0.0.1:8000"}/ag-ui`),
  threadId: randomUUID(),
  onError: ({ message }) => void console.error(`failed: ${message}`),
});

for (const content of [process.argv[2] ?? "Hello", "Go on."]) await chat.sendMessage(content);
for (const { role, parts } of chat.getMessages())
  for (const part of parts) if ("content" in part) console.log(`${role} ${part.type}: ${part.content}`);
chat.dispose();
