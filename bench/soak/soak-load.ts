/**
 * The load of a soak: visits of users at a steady rate. Each is a turn on one of the wires, some are stopped,
 * reloaded or deleted, and each is followed by a read. Every response is compared with the script.
 */
import { createHash, randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { z } from "zod";
import { toBody, toPrompt, type Script } from "../load/script.ts";
import { readAnswer, toAnswer, wires, type Wire } from "../load/wires.ts";

const userCount = 199;
/** Words to search for; each is in the messages of many conversations. */
const wordCount = 47;
const reply: Script = { deltas: 40, sizeChars: 0, paceMs: 25, eventsPerWrite: 1, firstDelayMs: 50 };
const longReply: Script = { ...reply, deltas: 240 };
/** The bytes after which a client stops a reply, or loses its connection and reloads. */
const partBytes = 100;
/** Visits that may be under way. */
const maxUnderWay = 100;

/** One round of visits: half are plain turns, between the others. */
const others = [
  "openai",
  "ui-chat",
  "stop",
  "openai",
  "reload",
  "ui-chat",
  "image",
  "stop",
  "openai",
  "delete",
] as const;
const round = others.flatMap((other) => ["plain", other] as const);
const reads = ["messages", "list", "search"] as const;

const Listed = z.object({ conversations: z.array(z.object({ id: z.string() })) });
const Messages = z.object({ messages: z.array(z.object({ role: z.string(), content: z.string() })) });

/** The part of an image that makes it one. */
const pngHead = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
const imageBytes = 20_000;
const largeImageBytes = 3_000_000;
const largeImages = 14;

/** Users of one server, until {@link stop}. */
export class SoakLoad {
  /** The number of turns that are over, stopped ones included. */
  turns = 0;
  reads = 0;
  failures = 0;
  /** Visits that were left out, because too many were under way. */
  skipped = 0;
  /** The first failures, as sentences. */
  readonly reasons: string[] = [];
  readonly #url: string;
  readonly #users = Array.from({ length: userCount }, () => randomUUID());
  readonly #underWay = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #count = 0;

  /** @param url of the server. */
  constructor(url: string) {
    this.#url = url;
  }

  /** Stores so many bytes of images that the embedded database has to empty its log. */
  async fillLog(): Promise<void> {
    for (let number = -1; number >= -largeImages; number -= 1)
      await this.#chat("plain text", this.#users[0] ?? "", number, toImage(number, largeImageBytes));
  }

  /** Starts the visits, `rate` a second. */
  begin(rate: number): void {
    const startMs = performance.now();
    this.#timer = setInterval(() => {
      while (this.#count < ((performance.now() - startMs) * rate) / 1_000) this.#visitNext();
    }, 20);
  }

  /** Starts no more visits; resolves when the last is over. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
  }

  #visitNext(): void {
    const number = this.#count;
    this.#count += 1;
    if (this.#underWay.size >= maxUnderWay) return void (this.skipped += 1);
    const visit = this.#visit(number).finally(() => this.#underWay.delete(visit));
    this.#underWay.add(visit);
  }

  async #visit(number: number): Promise<void> {
    const kind = round[number % round.length] ?? "plain";
    const userId = this.#users[number % userCount] ?? "";
    try {
      const conversationId = await this.#runTurn(kind, userId, number);
      this.turns += 1;
      if (kind === "delete") await this.#request("DELETE", `/conversations/${conversationId}`, userId);
      else await this.#read(reads[number % reads.length] ?? "list", userId, conversationId, number);
      this.reads += 1;
    } catch (error) {
      this.#fail(kind, inspect(error, { breakLength: Infinity }).split(" at ")[0]);
    }
  }

  /** Resolves with the turn's conversation. */
  async #runTurn(kind: (typeof round)[number], userId: string, number: number): Promise<string> {
    switch (kind) {
      case "openai":
        return await this.#chat("/v1/chat/completions", userId, number);
      case "ui-chat":
        return await this.#chat("/api/chat", userId, number);
      case "stop":
        return await this.#cut(longReply, userId, number, async (turnId) => {
          const path = `/turns/${turnId}/stop`;
          await (await this.#request("POST", path, userId)).text();
          return await this.#follow(turnId, userId);
        });
      case "reload":
        return await this.#cut(reply, userId, number, async (turnId) => await this.#follow(turnId, userId));
      case "image":
        return await this.#chat("plain text", userId, number, toImage(number));
      case "plain":
      case "delete":
        return await this.#chat("plain text", userId, number);
    }
  }

  /** Runs a turn on the wire of that name to its end. */
  async #chat(name: string, userId: string, number: number, image?: object): Promise<string> {
    const wire = findWire(name);
    const body: object = wire.toRequest(toQuestion(reply, number));
    const more = image === undefined ? {} : { messages: [{ ...toMessage(reply, number), images: [image] }] };
    const response = await this.#post(wire, { ...body, ...more }, userId);
    check(readAnswer(wire, await response.text()), toAnswer(reply), "an answer");
    return response.headers.get("x-conversation-id") ?? "";
  }

  /** Starts a turn, leaves it after its first bytes, and compares them with all that `follow` returns. */
  async #cut(
    script: Script,
    userId: string,
    number: number,
    follow: (turnId: string) => Promise<string>,
  ): Promise<string> {
    const controller = new AbortController();
    const wire = findWire("plain text");
    const body = wire.toRequest(toQuestion(script, number));
    const response = await this.#post(wire, body, userId, controller.signal);
    let seen = "";
    for await (const bytes of response.body ?? []) {
      seen += Buffer.from(bytes).toString("latin1");
      if (seen.length >= partBytes) break;
    }
    controller.abort();
    const text = await follow(response.headers.get("x-turn-id") ?? "");
    const expected = toBody(script, "plan").toString();
    check(text, script === longReply ? expected.slice(0, text.length) : expected, "a reply");
    if (!Buffer.from(text).toString("latin1").startsWith(seen)) throw new Error("a reply has changed");
    return response.headers.get("x-conversation-id") ?? "";
  }

  /** Resolves with all text of a turn, once it has ended. */
  async #follow(turnId: string, userId: string): Promise<string> {
    return await (await this.#request("GET", `/turns/${turnId}/stream`, userId)).text();
  }

  async #read(read: (typeof reads)[number], userId: string, conversationId: string, number: number) {
    switch (read) {
      case "messages": {
        const path = `/conversations/${conversationId}/messages`;
        const { messages } = await this.#json(Messages, "GET", path, userId);
        const roles = messages.map(({ role }) => role).join();
        if (roles !== "user,assistant") throw new Error(`a conversation has the messages ${roles}`);
        return;
      }
      case "list": {
        const { conversations } = await this.#json(Listed, "GET", "/conversations", userId);
        if (!conversations.some(({ id }) => id === conversationId))
          throw new Error("a conversation is not listed");
        return;
      }
      case "search":
        return void (await this.#json(Listed, "GET", `/conversations?query=${toWord(number)}`, userId));
    }
  }

  async #post(wire: Wire, body: object, userId: string, signal?: AbortSignal): Promise<Response> {
    return await this.#request("POST", wire.path, userId, { ...body, userId, user: userId }, signal);
  }

  async #json<Schema extends z.ZodType>(schema: Schema, method: string, path: string, userId: string) {
    return schema.parse(await (await this.#request(method, path, userId)).json());
  }

  async #request(method: string, path: string, userId: string, body?: object, signal?: AbortSignal) {
    const url = `${this.#url}${path}${path.includes("?") ? "&" : "?"}userId=${userId}`;
    const content = { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const init = { method, signal: signal ?? null, ...(body === undefined ? {} : content) };
    const response = await fetch(url, init);
    if (response.ok) return response;
    throw new Error(`${method} ${path}: ${response.status} ${(await response.text()).slice(0, 300)}`);
  }

  #fail(kind: string, reason: unknown): void {
    this.failures += 1;
    if (this.reasons.length < 20) this.reasons.push(`${kind}: ${String(reason)}`);
  }
}

function findWire(name: string): Wire {
  const wire = wires.find((one) => one.name === name);
  if (wire === undefined) throw new Error(`there is no wire ${name}`);
  return wire;
}

function toWord(number: number): string {
  return `word${number % wordCount}`;
}

/** Returns a prompt of its own for each visit, which upstream reads as `script`. */
function toQuestion(script: Script, number: number): string {
  return `${toPrompt(script).slice(0, -1)},"note":"${toWord(number)} visit ${number}"}`;
}

function toMessage(script: Script, number: number): object {
  return { sender: "user", text: toQuestion(script, number) };
}

/** Returns an image, another one for each number. */
function toImage(number: number, bytes = imageBytes): object {
  const noise = createHash("shake256", { outputLength: bytes }).update(String(number)).digest();
  const data = Buffer.concat([pngHead, noise]).toString("base64");
  return { inlineData: { data, mimeType: "image/png" } };
}

function check(actual: string, expected: string, name: string): void {
  if (actual !== expected)
    throw new Error(
      `${name} differs: ${JSON.stringify(actual.slice(-200))}, not ${JSON.stringify(expected.slice(-200))}`,
    );
}
