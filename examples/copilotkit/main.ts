/** Foreword as an agent of CopilotKit's runtime: two runs of one thread, by the client that its pages use. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { HttpAgent } from "@ag-ui/client";
import { ProxiedCopilotRuntimeAgent } from "@copilotkit/core";
import { CopilotRuntime } from "@copilotkit/runtime/v2";
import { createCopilotNodeListener } from "@copilotkit/runtime/v2/node";

const forewordUrl = process.env["FOREWORD_URL"] ?? "http://127.0.0.1:8000";
const port = Number(process.env["PORT"] ?? 4000);

const agents = { default: new HttpAgent({ url: `${forewordUrl}/ag-ui` }) };
const listener = createCopilotNodeListener({
  runtime: new CopilotRuntime({ agents }),
  basePath: "/copilotkit",
});
const server = createServer(listener).listen(port, "127.0.0.1");
await once(server, "listening");

// In React: <CopilotKit runtimeUrl="http://127.0.0.1:4000/copilotkit"> creates it for the page.
const runtimeUrl = `http://127.0.0.1:${port}/copilotkit`;
const agent = new ProxiedCopilotRuntimeAgent({ runtimeUrl, agentId: "default", threadId: randomUUID() });
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
server.close();
