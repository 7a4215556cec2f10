/** An agent of @openai/agents whose model is Foreword, and whose tool runs in this process. */
import { Agent, OpenAIChatCompletionsModel, run, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";

setTracingDisabled(true); // traces would go to OpenAI
const baseURL = `${process.env["FOREWORD_URL"] ?? "http://127.0.0.1:8000"}/v1`;
const client = new OpenAI({ baseURL, apiKey: process.env["FOREWORD_KEY"] ?? "none" });

const weather = tool({
  name: "weather",
  description: "Tells the weather in a city.",
  parameters: z.object({ city: z.string() }),
  execute: ({ city }) => `It is 7 degrees in ${city}.`,
});
const agent = new Agent({
  name: "Forecaster",
  instructions: "Answer in one sentence.",
  model: new OpenAIChatCompletionsModel(client, process.env["FOREWORD_MODEL"] ?? "demo"),
  tools: [weather],
});

const result = await run(agent, process.argv[2] ?? "How warm is it in Oslo?", { stream: true });
for await (const text of result.toTextStream()) process.stdout.write(text);
await result.completed;
console.log();
