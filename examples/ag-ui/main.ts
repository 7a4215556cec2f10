/** Foreword by AG-UI's own client: two runs of one thread. */
import { randomUUID } from "node:crypto";
import { HttpAgent } from "@ag-ui/client";

const url = `${process.env["FOREWORD_URL"] ?? "http://127.0.0.1:8000"}/ag-ui`;
const agent = new HttpAgent({ url, threadId: randomUUID() });
const print = (text: string): void => void process.stdout.write(text);

agent.subscribe({
  onReasoningStartEvent: () => print("plan: "),
  onReasoningMessageContentEvent: ({ event }) => print(event.delta),
  onTextMessageStartEvent: () => print("\nanswer: "),
  onTextMessageContentEvent: ({ event }) => print(event.delta),
  onRunFinishedEvent: () => print("\n"),
  onRunErrorEvent: ({ event }) => print(`\nfailed: ${event.message}\n`),
});

for (const content of [process.argv[2] ?? "Hello", "Go on."]) {
  agent.addMessage({ id: randomUUID(), role: "user", content });
  await agent.runAgent();
}
