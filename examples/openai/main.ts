/** Foreword by the openai package: chat completions, then the Responses API, each with the plan. */
import OpenAI from "openai";

const baseURL = `${process.env["FOREWORD_URL"] ?? "http://127.0.0.1:8000"}/v1`;
const client = new OpenAI({ baseURL, apiKey: process.env["FOREWORD_KEY"] ?? "none" });
const name = process.env["FOREWORD_MODEL"] ?? "demo";
const model = `${name}+plan`; // by its plain name a model answers without a plan
const content = process.argv[2] ?? "Hello";

let printed = "";
/** Prints a piece of something, after its label if that is new. */
function print(label: string, text: string): void {
  if (label !== printed) process.stdout.write(`\n${label}: `);
  printed = label;
  process.stdout.write(text);
}

const chunks = await client.chat.completions.create({
  model,
  messages: [{ role: "user", content }],
  stream: true,
});
for await (const { choices } of chunks) {
  const { delta, finish_reason: reason } = choices[0] ?? {};
  // The field that other vendors use for reasoning.
  if (delta !== undefined && "reasoning_content" in delta) print("plan", String(delta.reasoning_content));
  if (delta?.content) print("answer", delta.content);
  if (reason) print("completion", `ended with ${reason}\n`);
}

const stream = client.responses.stream({ model, input: content });
stream.on("response.reasoning_summary_text.delta", ({ delta }) => print("plan", delta));
stream.on("response.output_text.delta", ({ delta }) => print("answer", delta));
const first = await stream.finalResponse();
print("response", `${first.status}\n`);

const next = { model: name, input: "Shorter, please.", previous_response_id: first.id };
const second = await client.responses.create(next);
print("continued", `${second.output_text}\n`);
const stored = await client.responses.retrieve(second.id);
print("stored", `${stored.status}, after ${stored.previous_response_id}\n`);
