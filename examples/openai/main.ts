/** Chat completions from Foreword, by the openai package: with the plan, and without it. */
import OpenAI from "openai";

const baseURL = `${process.env["FOREWORD_URL"] ?? "http://127.0.0.1:8000"}/v1`;
const client = new OpenAI({ baseURL, apiKey: process.env["FOREWORD_KEY"] ?? "none" });
const content = process.argv[2] ?? "Hello";

for await (const { id } of client.models.list()) {
  console.log(`# ${id}`);
  const stream = client.chat.completions.stream({ model: id, messages: [{ role: "user", content }] });
  stream.on("content", (delta) => void process.stdout.write(delta));
  const completion = await stream.finalChatCompletion();
  console.log(`\n# ended with ${completion.choices[0]?.finish_reason}, as turn ${completion.id}`);
}
