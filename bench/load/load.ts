/** The load generator, a program: runs a job and sends the result to its parent. */
import { setTimeout as delay } from "node:timers/promises";
import { Job, type Load } from "./job.ts";
import { LoadClient, type Target } from "./load-client.ts";
import { toBody, toPrompt } from "./script.ts";
import { Tally } from "./tally.ts";

type LoadOf<Type extends Load["type"]> = Extract<Load, { readonly type: Type }>;

async function runClosed(load: LoadOf<"closed">, target: Target, tally: Tally): Promise<void> {
  const endMs = performance.now() + load.seconds * 1000;
  let left = load.streams ?? Infinity;
  const runClient = async (): Promise<void> => {
    let over = Promise.withResolvers<void>();
    const client = new LoadClient(target, tally, () => over.resolve());
    while (left > 0 && performance.now() < endMs) {
      left -= 1;
      over = Promise.withResolvers();
      client.ask();
      await over.promise;
      // No two pauses alike, or requests fall into step with a server's timer.
      if (load.pauseMs > 0) await delay(load.pauseMs * (0.5 + Math.random()));
    }
    client.leave();
  };
  await Promise.all(Array.from({ length: load.clients }, runClient));
}

async function runOpen(load: LoadOf<"open">, target: Target, tally: Tally): Promise<void> {
  const startMs = performance.now();
  const allOver = Promise.withResolvers<void>();
  const deadline = setTimeout(() => allOver.resolve(), load.deadlineMs);
  const clients: LoadClient[] = [];
  let left = load.streams;
  while (clients.length < load.streams) {
    const dueMs = startMs + (clients.length * load.rampMs) / load.streams;
    if (dueMs > performance.now()) await delay(dueMs - performance.now());
    const client = new LoadClient(target, tally, () => {
      client.leave();
      left -= 1;
      if (left === 0) allOver.resolve();
    });
    client.ask();
    clients.push(client);
  }
  await allOver.promise;
  clearTimeout(deadline);
  for (const client of clients) client.leave();
}

async function runStalled(load: LoadOf<"stalled">, target: Target, tally: Tally): Promise<void> {
  const clients = Array.from({ length: load.streams }, () => new LoadClient(target, tally, () => {}, true));
  for (const client of clients) client.ask();
  await delay(load.seconds * 1000);
  for (const client of clients) client.leave();
}

async function run(load: Load, target: Target, tally: Tally): Promise<void> {
  switch (load.type) {
    case "closed":
      return await runClosed(load, target, tally);
    case "open":
      return await runOpen(load, target, tally);
    case "stalled":
      return await runStalled(load, target, tally);
  }
}

const { url, script, kind, load } = Job.parse(JSON.parse(process.argv[2] ?? ""));
const { hostname, port, pathname } = new URL(url);
const expected = toBody(script, kind);
const target = {
  host: hostname,
  port: Number(port),
  path: pathname.replace(/\/$/, ""),
  prompt: toPrompt(script),
  expected,
};
const tally = new Tally(expected.length, script.deltas);
await run(load, target, tally);
process.send?.(tally.toResult(), () => process.exit());
