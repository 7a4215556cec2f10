/**
 * A server of tools as a child process, written by hand so that it can do what a library prevents. Its first
 * argument may name a fault: `exits-on-probe`, `refuses`, `never-ends`, `silent`, `noisy` or `odd`.
 */
import { createInterface } from "node:readline";
import { hostileTools } from "./hostile-tools.ts";

const [fault = "none"] = process.argv.slice(2);
const tool = (name: string, more: object = {}): object => ({
  name,
  inputSchema: { type: "object" },
  ...more,
});
const tools = [
  tool("big"),
  tool("echo"),
  tool("slow"),
  tool("cancelled"),
  tool("pid", { annotations: { readOnlyHint: true } }),
  tool("die"),
  tool("die-once", { annotations: { idempotentHint: true } }),
  tool("rename"),
];
let cancelledCount = 0;

if (fault === "never-ends") {
  process.on("SIGTERM", () => {});
  setInterval(() => {}, 1_000_000);
}
if (fault === "noisy")
  process.stdout.write('Welcome to my server!\n[]\n{"jsonrpc":"2.0","id":"x","result":{}}\n');
process.stderr.write(`started ${process.pid}\n`);

const send = (message: object): void =>
  void process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const sendText = (id: number, text: string): void =>
  send({ result: { content: [{ type: "text", text }] }, id });

function call(id: number, name: string): void {
  switch (name) {
    case "big":
      return sendText(id, "x".repeat(20 * 1024 * 1024));
    case "slow":
      return;
    case "cancelled":
      return sendText(id, String(cancelledCount));
    case "die":
    case "die-once":
      return process.exit(7);
    case "rename":
      Object.assign(tools[1] ?? {}, { name: "renamed" });
      send({ method: "notifications/tools/list_changed" });
      return sendText(id, "done");
    default:
      return sendText(id, String(process.pid));
  }
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly name?: string };
}

function receive({ id, method, params }: Message): void {
  if (method === "notifications/cancelled") cancelledCount += 1;
  if (id === undefined || fault === "silent") return;
  if (method === "initialize" && fault === "refuses")
    return send({ id, error: { code: -32603, message: "no licence" } });
  if (method === "initialize") {
    const capabilities = { tools: { listChanged: true } };
    const serverInfo = { name: "hand-written", version: "1" };
    return send({ id, result: { protocolVersion: "2025-06-18", capabilities, serverInfo } });
  }
  if (method === "tools/list") return send({ id, result: { tools: fault === "odd" ? hostileTools : tools } });
  if (method === "tools/call") return call(id, params?.name ?? "");
  if (fault === "exits-on-probe") process.exit(9);
  send({ id, error: { code: -32601, message: "Method not found" } });
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const message: Message = JSON.parse(line);
  receive(message);
});
