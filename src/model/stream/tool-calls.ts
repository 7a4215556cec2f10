/** Joins the pieces of a reply's tool calls, which servers number, name and cut in many ways. */
import { randomBytes } from "node:crypto";
import { AppError } from "../../base/errors.ts";
import { toStorable } from "../../turn/message.ts";
import type { ToolCallPiece } from "../../turn/ports.ts";
import { JsonExtent } from "./json-extent.ts";
import { parseJson } from "../../base/json.ts";
import { legacyIndex, type SentCall } from "./sent-call.ts";

/** The most calls in a reply; the longest name and id, in characters. */
const maxCalls = 128;
const maxNameLength = 256;
const maxIdLength = 4_096;
/** How many characters of arguments may come before the name of their call. */
const maxHeldLength = 64 * 1024;
/** Mistral refuses ids of another length. */
const idLength = 9;
const idCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** The tools that a model was offered, and the ids of earlier calls of the same reply. */
export interface OfferedTools {
  readonly names: ReadonlySet<string>;
  readonly takenIds: readonly string[];
}

interface Call {
  readonly index: number;
  readonly callId: string;
  /** The server's id. */
  id: string;
  name: string;
  input: string;
  readonly extent: JsonExtent;
  /** The end of the input that no piece holds yet. */
  pending: string;
}

/** The tool calls of one reply. */
export class ToolCalls {
  readonly #offered: OfferedTools | undefined;
  readonly #onPiece: (piece: ToolCallPiece) => void;
  readonly #calls: Call[] = [];
  /** The newest call with each number, and with each id, of the server. */
  readonly #byIndex = new Map<number, Call>();
  readonly #byId = new Map<string, Call>();
  readonly #usedIds: Set<string>;
  /** A call whose first piece waits for the rest of its name. */
  #held: Call | undefined;

  constructor(offered: OfferedTools | undefined, onPiece: (piece: ToolCallPiece) => void) {
    this.#offered = offered;
    this.#onPiece = onPiece;
    this.#usedIds = new Set(offered?.takenIds);
  }

  /** The number of calls so far. */
  get count(): number {
    return this.#calls.length;
  }

  /** Whether the first piece of a call waits for the rest of its name. */
  get isHolding(): boolean {
    return this.#held !== undefined;
  }

  /** Whether each call's input is empty or JSON, so that none can have been cut off. */
  get areWhole(): boolean {
    return this.#calls.every(
      ({ extent, input }) => extent.isWhole || input.trim() === "" || parseJson(input) !== undefined,
    );
  }

  /**
   * Takes a piece of a call; returns whether it added anything.
   * @throws AppError `model_invalid_stream` if there are too many calls, or a call has no name.
   */
  take(sent: SentCall): boolean {
    // Some servers send a reply's only call in both forms.
    if (sent.index === legacyIndex && this.count > 0 && !this.#byIndex.has(legacyIndex)) return false;
    const known = this.#find(sent);
    if (known !== undefined && isRepeated(known, sent)) return false;
    const call = known ?? this.#start(sent);
    if (call === undefined) return false;
    if (call !== this.#held) this.release();
    this.#add(call, sent);
    return known === undefined || sent.input !== "";
  }

  /** Takes a call of a message, which is whole, and may repeat a call that came in pieces. */
  takeWhole(sent: SentCall, place: number): boolean {
    const known = sent.id === "" ? this.#calls[place] : this.#byId.get(sent.id);
    if (known === undefined || known.name !== sent.name) return this.take(sent);
    const isLonger = sent.input.length > known.input.length && sent.input.startsWith(known.input);
    if (!isLonger) return false;
    this.#add(known, { ...sent, input: sent.input.slice(known.input.length) });
    return true;
  }

  /** Something else follows: the name of the newest call is whole. */
  release(): void {
    const call = this.#held;
    if (call === undefined) return;
    this.#held = undefined;
    if (call.name === "") call.name = "unknown";
    this.#tell(call);
  }

  /** The reply is over. @param isCut whether it reached a limit, so that input may be missing. */
  end(isCut: boolean): void {
    this.release();
    for (const call of this.#calls) {
      const isEmpty = call.input.trim() === "" && !isCut;
      if (isEmpty) call.pending += "{}";
      if (call.pending !== "") this.#tell(call, call.pending.length);
    }
  }

  /** Returns the call to which a piece belongs; `undefined` if it starts one. */
  #find(sent: SentCall): Call | undefined {
    const call = this.#findCandidate(sent);
    return call === undefined || this.#startsAnother(call, sent) ? undefined : call;
  }

  #findCandidate({ index, id, name }: SentCall): Call | undefined {
    const numbered = index === undefined ? undefined : this.#byIndex.get(index);
    if (numbered !== undefined) return numbered;
    if (index !== undefined && name !== "") return undefined;
    return this.#byId.get(id) ?? (id === "" || name === "" ? this.#calls.at(-1) : undefined);
  }

  /**
   * Whether a piece that could belong to `call` starts another. Ollama and Gemini have numbered all calls 0,
   * many servers number none, and some repeat the name, or send a new id, with each piece.
   */
  #startsAnother(call: Call, sent: SentCall): boolean {
    const { index, id, name, input } = sent;
    const isOtherId = id !== "" && call.id !== "" && id !== call.id;
    if (name === "" || call.name === "") return isOtherId && call.extent.isWhole;
    if (this.#isNamePart(call, sent) && !isOtherId) return false;
    const isOther = isOtherId || name !== call.name;
    if (call.extent.isWhole) return isOther || (input.trim() !== "" && !isRepeated(call, sent));
    if (index === undefined || !isOther) return isOther;
    if (call.input !== "") return false;
    return name !== call.name || (isOtherId && (input.trim() === "" || parseJson(input) !== undefined));
  }

  /** Whether the name of a piece is the next part of the call's name. */
  #isNamePart(call: Call, { index, name }: SentCall): boolean {
    if (call !== this.#held || call.input !== "" || name === call.name) return false;
    const names = this.#offered?.names;
    if (names?.has(call.name + name) === true) return true;
    return index !== undefined && names?.has(name) !== true;
  }

  #start({ index, id, name, input }: SentCall): Call | undefined {
    if (id === "" && name === "" && input.trim() === "") return undefined;
    if (this.count === maxCalls) throw new AppError("model_invalid_stream", `over ${maxCalls} tool calls`);
    const call: Call = {
      index: this.count,
      callId: this.#toUniqueId(id),
      id,
      name: "",
      input: "",
      extent: new JsonExtent(),
      pending: "",
    };
    this.release();
    this.#calls.push(call);
    if (index !== undefined) this.#byIndex.set(index, call);
    if (id !== "") this.#byId.set(id, call);
    this.#held = call;
    return call;
  }

  #toUniqueId(id: string): string {
    const isUsable = id.length <= maxIdLength && id.trim() !== "";
    let callId = isUsable ? toStorable(id) : createCallId();
    while (this.#usedIds.has(callId)) callId = createCallId();
    this.#usedIds.add(callId);
    return callId;
  }

  #add(call: Call, { id, name, input }: SentCall): void {
    if (call === this.#held && name !== call.name && call.name.length < maxNameLength)
      call.name = (call.name + name).slice(0, maxNameLength);
    if (call.id === "" && id !== "") {
      call.id = id;
      this.#byId.set(id, call);
    }
    call.input += input;
    call.pending += input;
    call.extent.push(input);
    if (call === this.#held && !this.#isNameWhole(call)) return;
    if (call === this.#held) return this.release();
    if (call.pending !== "") this.#tell(call);
  }

  /** Whether no further part of a call's name can come. */
  #isNameWhole({ name, input }: Call): boolean {
    if (name === "" && input.length > maxHeldLength)
      throw new AppError("model_invalid_stream", "a tool call has no name");
    if (name === "" || input !== "") return name !== "";
    const names = this.#offered?.names;
    if (names?.has(name) !== true) return false;
    for (const other of names) if (other !== name && other.startsWith(name)) return false;
    return true;
  }

  /** @param end the end of the whole characters: half of one waits for the other half. */
  #tell(call: Call, end: number = findWholeEnd(call.pending)): void {
    const { index, callId, pending } = call;
    call.pending = pending.slice(end);
    this.#onPiece({
      index,
      callId,
      name: toStorable(call.name),
      input: toStorable(pending.slice(0, end)),
    });
  }
}

/** Whether a piece only repeats the whole input of its call. */
function isRepeated(call: Call, { index, id, input }: SentCall): boolean {
  const isSame = index !== undefined || (id !== "" && id === call.id);
  return isSame && call.extent.isWhole && input === call.input;
}

function createCallId(): string {
  return Array.from(randomBytes(idLength), (byte) => idCharacters.charAt(byte % idCharacters.length)).join(
    "",
  );
}

/** Returns the end of the whole characters in `text`. */
export function findWholeEnd(text: string): number {
  return (text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800 ? text.length - 1 : text.length;
}
