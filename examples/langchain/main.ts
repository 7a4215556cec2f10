/** An agent of LangChain whose model is Foreword, and whose tool runs in this process. */
import { ChatOpenAI } from "@langchain/openai";
import { createAgent, tool } from "langchain";
import { z } from "zod";

const baseURL = `${process.env["FOREWORD_URL"] ?? "http://127.0.0.1:8000"}/v1`;
const model = new ChatOpenAI({
  model: process.env["FOREWORD_MODEL"] ?? "demo",
  apiKey: process.env["FOREWORD_KEY"] ?? "none",
  configuration: { baseURL },
  useResponsesApi: false,
});
const weather = tool(({ city }) => `It is 7 degrees in ${city}.`, {
  name: "weather",
  description: "Tells the weather in a city.",
  schema: z.object({ city: z.string() }),
});

const agent = createAgent({ model, tools: [weather] });
const content = process.argv[2] ?? "How warm is it in Oslo?";
const { messages } = await agent.invoke({ messages: [{ role: "user", content }] });
for (const message of messages) console.log(`${message.type}: ${message.text}`);
