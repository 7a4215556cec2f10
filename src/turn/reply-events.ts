/** Turns a reply into events with places: removes reasoning, and splits plan and answer. */
import { maxReplyBytes } from "../base/sizes.ts";
import type { Clock } from "../base/clock.ts";
import { boundaryBytes, toText, type Body } from "./body.ts";
import type { OpenedReasoning } from "./reply/opened-reasoning.ts";
import { textBreak } from "./items/tool-parts.ts";
import { PlanSplitter } from "./reply/plan-splitter.ts";
import { ReasoningFilter } from "./reply/reasoning-filter.ts";
import { WholeAnswer, type ReplySplitter } from "./reply/whole-answer.ts";
import type { EventOutput, ItemEvent, Place } from "./turn-event.ts";

/** The most reasoning of a turn that is shown, in bytes: half of the items that are saved with it. */
const maxReasoningBytes = 512 * 1024;

/** How replies are read. */
export interface ReplyOptions {
  readonly clock: Clock;
  /** Whether the model's reasoning is shown. */
  readonly showsReasoning: boolean;
}

/** An item before it has a place. */
export type UnplacedItem = ItemEvent extends infer Item
  ? Item extends Place
    ? Omit<Item, keyof Place>
    : never
  : never;

/** A reply that goes on: its body so far, and the place of its last event. */
export interface SentReply {
  readonly body: Body;
  readonly ordinal: number;
}

/** The events of one reply. Each piece goes out in the tick in which it comes, as far as it is decided. */
export class ReplyEvents {
  readonly #output: EventOutput;
  readonly #options: ReplyOptions;
  readonly #wantsPlan: boolean;
  #opened: OpenedReasoning;
  #filter: ReasoningFilter;
  readonly #splitter: ReplySplitter;
  #position = 0;
  /** Units beside the text at this position, as in {@link Place}. */
  #ordinal = 0;
  #saidBytes = 0;
  #reasoningBytes = 0;
  #firstTextAtMs: number | undefined;
  #hasPlan = false;
  #hasAnswer = false;
  /** Whether an item came after the last text of the answer. */
  #isAfterItem = false;
  /** Whether this step has sent nothing but reasoning; and the time and bytes below, before the step. */
  #isUnseen = true;
  #earlierTextAtMs: number | undefined;
  #earlierReasoningBytes = 0;
  /** Whether the reasoning shown so far is that of another attempt. */
  #breaksReasoning = false;

  /**
   * @param opened the knowledge about its model.
   * @param sent the events so far, of a reply that goes on.
   */
  constructor(
    output: EventOutput,
    wantsPlan: boolean,
    opened: OpenedReasoning,
    options: ReplyOptions,
    sent?: SentReply,
  ) {
    this.#output = output;
    this.#options = options;
    this.#wantsPlan = wantsPlan;
    this.#opened = opened;
    this.#filter = this.#createFilter();
    this.#splitter = this.#createSplitter(sent?.body);
    if (sent === undefined) return;
    this.#position = Buffer.byteLength(toText(sent.body));
    this.#ordinal = sent.ordinal;
    this.#hasAnswer = (sent.body.answer ?? "") !== "";
    this.#isAfterItem = true;
  }

  /** Bytes of the body so far. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that the model has said, reasoning and arguments of tools included. */
  get saidBytes(): number {
    return this.#saidBytes;
  }

  /** When the first text came, in milliseconds of {@link Clock.monotonicMs}. */
  get firstTextAtMs(): number | undefined {
    return this.#firstTextAtMs;
  }

  /** Whether the reply, which is over, had a plan of its own. */
  get hasPlan(): boolean {
    return this.#hasPlan;
  }

  /** Takes the next piece of text; returns whether the reply had room for it. */
  push(piece: string): boolean {
    const bytes = Buffer.byteLength(piece);
    this.#saidBytes += bytes;
    if (this.#position + bytes > maxReplyBytes) return false;
    this.#pushText(this.#filter.push(piece));
    return true;
  }

  /** Takes the next piece of reasoning that the model sends apart from its text. */
  think(piece: string): void {
    this.#saidBytes += Buffer.byteLength(piece);
    this.#tell(piece);
  }

  /** The model is asked: its reply can {@link restart} until it has sent something. */
  startStep(): void {
    this.#isUnseen = true;
    this.#earlierTextAtMs = this.#firstTextAtMs;
    this.#earlierReasoningBytes = this.#reasoningBytes;
  }

  /**
   * Forgets the text of this step if nothing of the step was sent, reasoning aside. Returns whether that was
   * so. @param opened the knowledge about the model that replies now, if it is another.
   */
  restart(opened = this.#opened): boolean {
    if (!this.#isUnseen) return false;
    this.#opened = opened;
    this.#breaksReasoning = this.#reasoningBytes > this.#earlierReasoningBytes;
    this.#filter = this.#createFilter();
    this.#splitter.restart();
    this.#firstTextAtMs = this.#earlierTextAtMs;
    return true;
  }

  /** The model's text is over: whether this step says nothing, now that its held reasoning is taken out. */
  saysNothing(): boolean {
    this.#pushText(this.#filter.end(true));
    this.#filter = this.#createFilter();
    return this.#splitter.saysNothing() && this.#isUnseen;
  }

  /** An item comes next, or the model's next text after it: the held text goes out. */
  settle(): void {
    this.#pushText(this.#filter.end(true));
    this.#filter = this.#createFilter();
    this.#splitter.settle();
    this.#isAfterItem = true;
  }

  /** Sends an item; the held text must have been settled. */
  add(item: UnplacedItem): void {
    const bytes = item.type === "tool-call-delta" ? Buffer.byteLength(item.text) : 1;
    if (item.type === "tool-call-delta") this.#saidBytes += bytes;
    this.#ordinal += bytes;
    this.#isUnseen = false;
    this.#output.append({ ...item, position: this.#position, ordinal: this.#ordinal });
  }

  /** The reply is over: the held text goes out. @param isWhole whether it was not cut off. */
  end(isWhole: boolean): void {
    this.#pushText(this.#filter.end(isWhole));
    this.#hasPlan = isWhole ? this.#splitter.end() : this.#splitter.cutOff();
  }

  #createFilter(): ReasoningFilter {
    const { showsReasoning } = this.#options;
    return new ReasoningFilter({
      onReasoning: showsReasoning ? (text) => this.#tell(text) : undefined,
      keepsSpace: !this.#wantsPlan,
      opened: this.#opened,
    });
  }

  #createSplitter(sent: Body | undefined): ReplySplitter {
    const output = {
      plan: (text: string) =>
        this.#output.append({ type: "plan-delta", text, position: this.#advance(Buffer.byteLength(text)) }),
      boundary: () => this.#output.append({ type: "plan-end", position: this.#advance(boundaryBytes) }),
      answer: (text: string) => {
        if (this.#isAfterItem) this.#breakText();
        this.#hasAnswer = true;
        this.#output.append({ type: "answer-delta", text, position: this.#advance(Buffer.byteLength(text)) });
      },
    };
    return this.#wantsPlan ? new PlanSplitter(output, sent) : new WholeAnswer(output, sent);
  }

  #breakText(): void {
    this.#isAfterItem = false;
    if (!this.#hasAnswer) return;
    const position = this.#advance(textBreak.length);
    this.#output.append({ type: "answer-delta", text: textBreak, position });
  }

  #tell(piece: string): void {
    const text = this.#breaksReasoning ? `${textBreak}${piece}` : piece;
    this.#breaksReasoning = false;
    const bytes = Buffer.byteLength(text);
    this.#reasoningBytes += bytes;
    if (this.#reasoningBytes > maxReasoningBytes) return;
    this.#ordinal += bytes;
    this.#output.append({
      type: "reasoning-delta",
      text,
      position: this.#position,
      ordinal: this.#ordinal,
    });
  }

  #pushText(text: string): void {
    if (text === "") return;
    this.#firstTextAtMs ??= this.#options.clock.monotonicMs();
    this.#splitter.push(text);
  }

  #advance(bytes: number): number {
    this.#position += bytes;
    this.#ordinal = 0;
    this.#isUnseen = false;
    return this.#position;
  }
}
