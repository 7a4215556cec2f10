/**
 * A peer, a program in a folder of its own with its packages: a Mastra agent that keeps its threads in a
 * file, on node:http.
 */
import { Mastra } from "@mastra/core";
import { Agent } from "@mastra/core/agent";
import { LibSQLStore } from "@mastra/libsql";
import { Memory } from "@mastra/memory";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";

const storage = new LibSQLStore({ id: "bench", url: "file:threads.db" });
const agent = new Agent({
  id: "bench",
  name: "bench",
  instructions: "",
  model: {
    id: `custom/${process.env["UPSTREAM_MODEL"] ?? "bench"}`,
    url: process.env["UPSTREAM_URL"],
    apiKey: "none",
  },
  memory: new Memory({ storage, options: { semanticRecall: false, generateTitle: false } }),
});
const mastra = new Mastra({ agents: { agent }, storage, logger: false });

async function relay(incoming, response): Promise<void> {
  const { messages, userId } = await json(incoming);
  const abort = new AbortController();
  response.once("close", () => abort.abort());
  const { textStream } = await mastra.getAgent("agent").stream(
    messages.map(({ text }) => ({ role: "user", content: text })),
    { memory: { thread: randomUUID(), resource: userId ?? "bench" }, abortSignal: abort.signal },
  );
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  for await (const text of textStream)
    if (text !== "" && !response.write(text)) await once(response, "drain", { signal: abort.signal });
  response.end();
}

const server = createServer((incoming, response) => {
  relay(incoming, response).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    response.destroy();
  });
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () =>
  process.stderr.write(`listening http://127.0.0.1:${server.address().port}\n`),
);
