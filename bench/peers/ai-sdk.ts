/** A peer, a program: the AI SDK's streamText as a text response, on node:http. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { listenAndTell, modelName, parseChat, upstreamUrl } from "./peer-program.ts";

const model = createOpenAICompatible({ name: "bench", baseURL: upstreamUrl })(modelName);

const server = createServer((incoming, response) => {
  void json(incoming).then((body) => {
    const abort = new AbortController();
    response.once("close", () => abort.abort());
    const result = streamText({ model, messages: parseChat(body), abortSignal: abort.signal });
    void result.pipeTextStreamToResponse(response);
  });
});

listenAndTell(server, "");
