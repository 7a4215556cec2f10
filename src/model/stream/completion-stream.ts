/**
 * Reads a streamed chat completion: text, reasoning, tool calls, usage, errors under status 200, and whether
 * it is whole.
 */
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { toStorable } from "../../turn/message.ts";
import type { ModelEnd, ToolCallPiece } from "../../turn/ports.ts";
import type { FinishReason, ReportedUsage } from "../../turn/turn-event.ts";
import { readChunk, type CompletionChunk } from "./completion-chunk.ts";
import { EventTemplate } from "./event-template.ts";
import { readFinish } from "./finish-reason.ts";
import { isRecord, parseJson } from "../../base/json.ts";
import { toModelFailure } from "../model-failure.ts";
import { toLargerUsage } from "./model-usage.ts";
import { SseReader } from "./sse-reader.ts";
import { findWholeEnd, ToolCalls, type OfferedTools } from "./tool-calls.ts";

/** How much of the end of the text is kept, to recognize it in a message that repeats it, in characters. */
const tailLength = 64;

/** `[DONE]`, quoted, in lower case or with white space around it, as some servers write it. */
const doneMark = /^\s*["']?\[done\]["']?\s*$/i;
const maxDoneMarkLength = 32;

const ContentChunk = z.object({
  choices: z.tuple([z.object({ delta: z.object({ content: z.string() }) })]),
});

/**
 * The state of the reply's end. `open`: unknown. `finished`: a finish reason came and no text after it;
 * nothing can fail the reply any more. `doubtful`: text followed a finish reason, as from servers that send
 * one with every chunk; finish reasons no longer count.
 */
type EndState = "open" | "finished" | "doubtful";

/** Receives the tool calls of a reply. */
export interface ToolCallReceiver {
  readonly offered: OfferedTools | undefined;
  /** The next piece, and the text since {@link CompletionStream.push} last returned that comes before it. */
  takeToolCall(piece: ToolCallPiece, textBefore: string): void;
}

/** Reads the body of one streamed chat completion. */
export class CompletionStream {
  readonly #receiver: ToolCallReceiver;
  readonly #reader = new SseReader(
    (data, name) => this.#takeEvent(data, name),
    (text, start) => this.#skim(text, start),
  );
  readonly #template = new EventTemplate();
  /** Text of the events read so far that {@link push} has not returned. */
  #text = "";
  /** The end of the returned text, and its length. */
  #tail = "";
  #length = 0;
  /** Reasoning that {@link takeReasoning} has not returned. */
  #reasoning = "";
  #toolCalls: ToolCalls | undefined;
  #events = 0;
  #pieces = 0;
  #isDone = false;
  #state: EndState = "open";
  #isSettled = false;
  #hasDeltas = false;
  #hasMessage = false;
  #finishReason: FinishReason | undefined;
  #model = "";
  #usage: ReportedUsage | undefined;

  constructor(receiver: ToolCallReceiver) {
    this.#receiver = receiver;
  }

  /** The number of events so far, comments not counted. */
  get events(): number {
    return this.#events;
  }

  /** The number of chunks with text, reasoning or a tool call so far, without those read by the template. */
  get pieces(): number {
    return this.#pieces;
  }

  /** Whether a finish reason came and no text after it: nothing that follows can fail the reply. */
  get isFinished(): boolean {
    return this.#state === "finished";
  }

  /** Whether nothing but usage is expected after the finish reason: it came by itself, after the text. */
  get isSettled(): boolean {
    return this.isFinished && this.#isSettled;
  }

  /** Whether `[DONE]` came: only usage may follow. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Whether the model reported usage. */
  get hasUsage(): boolean {
    return this.#usage !== undefined;
  }

  /**
   * Whether the reply is whole if nothing more comes.
   * @param isBodyWhole whether its body ended in good order.
   */
  isWhole(isBodyWhole: boolean): boolean {
    if (this.#state === "finished") return this.#isDone || this.#areCallsWhole;
    if (this.#state === "doubtful") return this.#isDone || (isBodyWhole && this.#areCallsWhole);
    return this.#isDone && this.#hasContent && this.#areCallsWhole;
  }

  /** Unless the reply reached a limit, a tool call without its end was cut off with the body. */
  get #areCallsWhole(): boolean {
    return this.#toolCalls === undefined || this.#isLimited || this.#toolCalls.areWhole;
  }

  get #isLimited(): boolean {
    return this.#finishReason === "length" || this.#finishReason === "content-filter";
  }

  get #hasContent(): boolean {
    return this.#length + this.#text.length > 0 || this.#toolCalls !== undefined;
  }

  /**
   * Takes the next bytes; returns the text that they complete, storable, in one piece.
   * @throws AppError `model_invalid_stream`, or the code for an error event.
   */
  push(chunk: Buffer): string {
    this.#reader.push(chunk);
    return this.#takeText(findWholeEnd(this.#text));
  }

  /** Takes a JSON body: a whole completion, or an error. Returns and throws as {@link push}. */
  takeJson(body: string): string {
    this.#events += 1;
    for (const value of parseValues(body) ?? []) this.#takeValue(value);
    this.#isDone ||= this.#hasMessage;
    return this.flush();
  }

  /** Returns the reasoning since the last call, storable. */
  takeReasoning(): string {
    if (this.#reasoning === "") return "";
    const reasoning = this.#reasoning.slice(0, findWholeEnd(this.#reasoning));
    this.#reasoning = this.#reasoning.slice(reasoning.length);
    return toStorable(reasoning);
  }

  /** The body is over: reads its last line, even if unterminated. Returns and throws as {@link push}. */
  finish(): string {
    this.#reader.end();
    return this.flush();
  }

  /** Returns the text that waits in vain for the other half of its last character. */
  flush(): string {
    return this.#takeText(this.#text.length);
  }

  /** The reply {@link isWhole}: the last pieces of its tool calls follow, if any. */
  endToolCalls(): void {
    this.#toolCalls?.end(this.#isLimited);
  }

  /** Returns the model's facts about the reply. Meaningful once it {@link isWhole}. */
  toEnd(): ModelEnd {
    // Many servers give another reason than tool calls.
    const hasCalls = this.#toolCalls !== undefined && !this.#isLimited;
    return {
      finishReason: hasCalls ? "tool-calls" : (this.#finishReason ?? "other"),
      model: this.#model === "" ? undefined : this.#model,
      usage: this.#usage,
    };
  }

  #takeText(end: number): string {
    if (end === 0) return "";
    const text = this.#text.slice(0, end);
    this.#text = this.#text.slice(end);
    this.#length += end;
    this.#tail = (end < tailLength ? this.#tail + text : text).slice(-tailLength);
    return toStorable(text);
  }

  /** Takes events of the same kind as the last, which hold nothing but text. */
  #skim(text: string, start: number): number {
    let end = start;
    if (this.#toolCalls?.isHolding === true) return start;
    while (!this.#isDone && this.#state !== "finished") {
      const content = this.#template.read(text, end);
      if (content === undefined) break;
      this.#events += 1;
      this.#text += content;
      ({ end } = this.#template);
    }
    return end;
  }

  #takeEvent(data: string, name: string): void {
    this.#events += 1;
    if (isDoneMark(data)) {
      this.#isDone = true;
      return;
    }
    const canFail = !this.#isDone && this.#state !== "finished";
    if (canFail && name === "error") throw toModelFailure(200, data);
    const values = parseValues(data);
    // A named event that is not JSON, like `ping`, is no chunk.
    if (values === undefined && canFail && name === "message")
      throw new AppError("model_invalid_stream", "an event is not JSON");
    for (const value of values ?? []) this.#takeValue(value, data);
  }

  #takeValue(value: unknown, data?: string): void {
    if (value === doneMark) {
      this.#isDone = true;
      return;
    }
    if (Array.isArray(value))
      for (const chunk of value.filter(isRecord)) this.#takeChunk(readChunk(chunk), undefined);
    if (isRecord(value)) this.#takeChunk(readChunk(value), data);
  }

  #takeChunk(chunk: CompletionChunk, data: string | undefined): void {
    if (chunk.usage !== undefined) this.#usage = toLargerUsage(this.#usage, chunk.usage);
    if (this.#isDone) return;
    if (this.#model === "") this.#model = toStorable(chunk.model);
    const text = chunk.message === undefined ? chunk.text : this.#toAdded(chunk.message);
    this.#hasDeltas ||= chunk.text !== "";
    this.#hasMessage ||= chunk.message !== undefined;
    if (text !== "" || chunk.reasoning !== "") this.#toolCalls?.release();
    this.#text += text;
    this.#reasoning += chunk.reasoning;
    const hasCalls = this.#takeToolCalls(chunk);
    if ((text !== "" || hasCalls) && this.#state === "finished") this.#state = "doubtful";
    const isSilent = text === "" && chunk.reasoning === "" && !hasCalls;
    if (!isSilent) this.#pieces += 1;
    if (this.#state === "finished")
      this.#isSettled = isSilent && (this.#isSettled || chunk.usage !== undefined);
    else if (chunk.failure !== undefined) throw toModelFailure(200, chunk.failure);
    this.#takeFinish(chunk.finish, isSilent);
    if (chunk.isTextOnly && data !== undefined) this.#template.learn(data, readContent);
  }

  #takeFinish(word: string, isSilent: boolean): void {
    const finish = readFinish(word);
    if (finish === undefined) return;
    if (finish.type === "failed") {
      if (this.#state === "finished") return;
      throw new AppError(finish.code, `finish reason: ${word.slice(0, tailLength)}`);
    }
    const isLater = this.#state === "finished" && this.#finishReason !== undefined;
    // Of several finish reasons after the same text, the one that explains a truncated text counts.
    if (!isLater || finish.reason === "length" || finish.reason === "content-filter")
      this.#finishReason = finish.reason;
    if (this.#state !== "open") return;
    this.#state = "finished";
    this.#isSettled = isSilent && this.#hasContent;
  }

  /** Returns whether the chunk adds to tool calls. */
  #takeToolCalls({ toolCalls, messageCalls }: CompletionChunk): boolean {
    const sent = toolCalls ?? messageCalls;
    if (sent === undefined) return false;
    const calls = (this.#toolCalls ??= new ToolCalls(this.#receiver.offered, (piece) =>
      this.#receiver.takeToolCall(piece, this.#takeText(findWholeEnd(this.#text))),
    ));
    const added = sent.map((call, place) =>
      toolCalls === undefined ? calls.takeWhole(call, place) : calls.take(call),
    );
    if (calls.count === 0) this.#toolCalls = undefined;
    return added.includes(true);
  }

  /**
   * Returns the text that a message instead of a delta adds: if it repeats the text so far, only the rest.
   * @throws AppError `model_invalid_stream` if it is neither the whole text nor the next piece.
   */
  #toAdded(message: string): string {
    const known = (this.#tail + this.#text).slice(-tailLength);
    const length = this.#length + this.#text.length;
    if (message === "" || known === "") return message;
    if (message.slice(0, length).endsWith(known) && message.length >= length) return message.slice(length);
    if (!this.#hasDeltas) return message;
    if (message.trimEnd().endsWith(known.trim())) return "";
    throw new AppError("model_invalid_stream", "a message does not continue the text before it");
  }
}

function isDoneMark(data: string): boolean {
  return data.length <= maxDoneMarkLength && doneMark.test(data);
}

/**
 * Returns the JSON values in `data`: one, or one per line; `doneMark` for a `[DONE]` line. `undefined` if it
 * is not JSON.
 */
function parseValues(data: string): readonly unknown[] | undefined {
  const value = parseJson(data);
  if (value !== undefined || data.trim() === "") return [value];
  const lines = data.split("\n").filter((line) => line.trim() !== "");
  const values = lines.map((line) => (isDoneMark(line) ? doneMark : parseJson(line)));
  return values.includes(undefined) ? undefined : values;
}

/** Returns the content of an event with one choice, if it is a string. */
function readContent(data: string): string | undefined {
  return ContentChunk.safeParse(parseJson(data)).data?.choices[0].delta.content;
}
