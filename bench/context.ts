/**
 * Runs conversations of 400 turns in a window of about 60, in each way in which clients send them, with a
 * server that caches prefixes; prints the share of cached tokens, beside that of a window that slides.
 */
import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { startApp } from "../test/support/apps/start-app.ts";
import { longChats, toQuestion } from "../test/support/model/long-chats.ts";
import { ScriptedModel } from "../test/support/model/scripted-model.ts";
import { PrefixCache, type CountedPrompt } from "../test/support/model/prefix-cache.ts";
import { WindowServer } from "../test/support/model/window-server.ts";

const { values } = parseArgs({ options: { turns: { type: "string", default: "400" } } });
const turns = Number(values.turns);
/** 60 turns of about 85 tokens, and the room for a reply. */
const windowTokens = 7_000;
/** The turns at the start that fit into the window as they are. */
const fitting = 60;

interface Row {
  readonly name: string;
  readonly prompts: readonly CountedPrompt[];
  readonly failed: number;
  readonly retried: number;
  /** Of each turn: server, database and scripted model together. */
  readonly cpuMs: readonly number[];
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const mean = (numbers: readonly number[]): number => sum(numbers) / numbers.length;
const median = (numbers: readonly number[]): number =>
  numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0;

function toLine({ name, prompts, failed, retried, cpuMs }: Row): string {
  const past = prompts.slice(fitting);
  const used = past.map(({ inputTokens }) => inputTokens);
  const cached = sum(past.map(({ cachedTokens }) => cachedTokens)) / sum(used);
  const half = Math.floor(past.length / 2);
  const growth = mean(used.slice(half)) / mean(used.slice(0, half));
  const slower =
    cpuMs.length === 0
      ? "–"
      : (median(cpuMs.slice(-50)) / median(cpuMs.slice(fitting, fitting + 50))).toFixed(2);
  const tokens = Math.round(mean(used)).toLocaleString("en");
  return `| ${name} | ${failed} | ${retried} | ${(cached * 100).toFixed(1)} % | ${tokens} | ${growth.toFixed(2)} | ${slower} |`;
}

/** A window that drops just enough of the oldest messages in each turn. */
function slide(): Row {
  const cache = new PrefixCache();
  const prompts: CountedPrompt[] = [];
  const chat: { readonly role: string; readonly content: string }[] = [];
  const instruction = { role: "system", content: "Answer the question. ".repeat(30) };
  let first = 0;
  for (let turn = 0; turn < turns; turn += 1) {
    chat.push({ role: "user", content: toQuestion(turn) });
    while (cache.count([instruction, ...chat.slice(first)]).inputTokens > windowTokens * 0.75) first += 1;
    prompts.push(cache.take([instruction, ...chat.slice(first)]));
    chat.push({ role: "assistant", content: `Reply ${turn + 1}.` });
  }
  return { name: "a window that slides", prompts, failed: 0, retried: 0, cpuMs: [] };
}

const model = await ScriptedModel.start();
const app = await startApp({
  CHAT_STORE_ENABLED: "true",
  OPENAI_BASE_URL: model.url,
  OPENAI_MODEL: "scripted",
});
const rows = [slide()];
for (const [name, chat] of longChats) {
  const server = new WindowServer(model, { windowTokens });
  const ask = chat(app, randomUUID());
  const cpuMs: number[] = [];
  let failed = 0;
  for (let turn = 0; turn < turns; turn += 1) {
    const started = process.cpuUsage();
    await ask(turn).catch(() => (failed += 1));
    const { user, system } = process.cpuUsage(started);
    cpuMs.push((user + system) / 1_000);
  }
  rows.push({ name, prompts: server.accepted, failed, retried: server.refusals, cpuMs });
}
await app.close();
await model.close();
process.stdout.write(
  `| ${turns} turns, a window of ${fitting} | failed | retried | cached past the window | tokens a turn | second half / first | CPU, last 50 / first 50 past the window |
|---|---:|---:|---:|---:|---:|---:|
${rows.map(toLine).join("\n")}
`,
);
