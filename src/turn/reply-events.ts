/** Turns the text of a model's reply into events: removes reasoning, splits plan and answer, counts bytes. */
import { maxReplyBytes } from "../base/sizes.ts";
import type { Clock } from "../base/clock.ts";
import { boundaryBytes } from "./body.ts";
import type { OpenedReasoning } from "./reply/opened-reasoning.ts";
import { PlanSplitter, WholeAnswer, type ReplySplitter } from "./reply/plan-splitter.ts";
import { ReasoningFilter } from "./reply/reasoning-filter.ts";
import type { EventOutput } from "./turn-event.ts";

/** How replies are read. */
export interface ReplyOptions {
  readonly clock: Clock;
  /** Whether the model's reasoning is shown. */
  readonly showsReasoning: boolean;
  /** Whether the model's chat template opens the reasoning, as far as its replies have shown. */
  readonly openedReasoning: OpenedReasoning;
}

/** The events of one reply. Each piece goes out in the tick in which it comes, as far as it is decided. */
export class ReplyEvents {
  readonly #output: EventOutput;
  readonly #clock: Clock;
  readonly #filter: ReasoningFilter;
  readonly #splitter: ReplySplitter;
  #position = 0;
  /** Units beside the text at this position, as in {@link Place}. */
  #ordinal = 0;
  #saidBytes = 0;
  #firstTextAtMs: number | undefined;
  #hasPlan = false;

  constructor(output: EventOutput, wantsPlan: boolean, options: ReplyOptions) {
    this.#output = output;
    this.#clock = options.clock;
    this.#filter = new ReasoningFilter({
      onReasoning: options.showsReasoning ? (text) => this.#tell(text) : undefined,
      keepsSpace: !wantsPlan,
      opened: options.openedReasoning,
    });
    this.#splitter = this.#createSplitter(wantsPlan);
  }

  /** Bytes of the body so far. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that the model has said, reasoning included. */
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

  /** The reply is over: the held text goes out. @param isWhole whether it was not cut off. */
  end(isWhole: boolean): void {
    this.#pushText(this.#filter.end(isWhole));
    this.#hasPlan = isWhole ? this.#splitter.end() : this.#splitter.cutOff();
  }

  #createSplitter(wantsPlan: boolean): ReplySplitter {
    const output = {
      plan: (text: string) =>
        this.#output.append({ type: "plan-delta", text, position: this.#advance(Buffer.byteLength(text)) }),
      boundary: () => this.#output.append({ type: "plan-end", position: this.#advance(boundaryBytes) }),
      answer: (text: string) =>
        this.#output.append({ type: "answer-delta", text, position: this.#advance(Buffer.byteLength(text)) }),
    };
    return wantsPlan ? new PlanSplitter(output) : new WholeAnswer(output);
  }

  #tell(text: string): void {
    this.#ordinal += Buffer.byteLength(text);
    this.#output.append({
      type: "reasoning-delta",
      text,
      position: this.#position,
      ordinal: this.#ordinal,
    });
  }

  #pushText(text: string): void {
    if (text === "") return;
    this.#firstTextAtMs ??= this.#clock.monotonicMs();
    this.#splitter.push(text);
  }

  #advance(bytes: number): number {
    this.#position += bytes;
    this.#ordinal = 0;
    return this.#position;
  }
}
