/** A peer, a program: the common choice today, the openai package on Fastify. */
import Fastify from "fastify";
import OpenAI from "openai";
import { Readable } from "node:stream";
import { listenAndTell, modelName, parseChat, upstreamUrl } from "./peer-program.ts";

const openai = new OpenAI({ baseURL: upstreamUrl, apiKey: "none", maxRetries: 0 });
const fastify = Fastify({ bodyLimit: 32 * 1024 * 1024 }); // as large as the bodies of `body`

fastify.post("/stream-chat", async (request, reply) => {
  const stream = await openai.chat.completions.create({
    model: modelName,
    stream: true,
    messages: parseChat(request.body),
  });
  reply.raw.once("close", () => stream.controller.abort());
  async function* readText(): AsyncGenerator<string> {
    for await (const chunk of stream) {
      const content = chunk.choices[0]?.delta.content ?? "";
      if (content !== "") yield content;
    }
  }
  return await reply.type("text/plain; charset=utf-8").send(Readable.from(readText()));
});

await fastify.ready();
listenAndTell(fastify.server, "");
