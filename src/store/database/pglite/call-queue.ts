/** Calls that wait for the thread of the embedded database, in the order requested. */
import { toAppError } from "../../../base/errors.ts";
import { countUnits, type JsonText } from "../../../base/json/long-json.ts";
import type { PoolState } from "../../../base/semaphore.ts";
import type { FunctionName } from "../database.ts";
import { toStoreFailure } from "../sql-failure.ts";
import type { CallOutcome, WorkerCall, WorkerCalls } from "./worker-messages.ts";

/** How many lists of calls the thread holds: the current one, and the next. */
const maxLists = 2;
/** The bounds of a list, which holds up the calls behind it. */
const maxListCalls = 12;
const maxListCharacters = 262_144;

/** Small writes of turns: those that wait together are made together, which costs about half as much. */
const joined: ReadonlySet<FunctionName> = new Set(["chat_begin_turn", "chat_end_turn"]);

interface WaitingCall {
  readonly name: FunctionName;
  /** Returns its argument as JSON: a waiting call holds no second copy. */
  readonly toArgument: () => JsonText;
  readonly response: PromiseWithResolvers<string>;
  isAbandoned: boolean;
}

/** A queued call. */
export interface QueuedCall {
  readonly result: Promise<string>;
  /** Takes the call back, unless the thread has it. */
  readonly abandon: () => void;
}

/** Sends calls to the thread, several together if they wait for it. */
export class CallQueue {
  readonly #send: (request: WorkerCalls) => void;
  readonly #waiting: WaitingCall[] = [];
  readonly #sent = new Map<number, readonly WaitingCall[]>();
  #lastId = 0;

  constructor(send: (request: WorkerCalls) => void) {
    this.#send = send;
  }

  get state(): PoolState {
    return { max: maxLists, available: maxLists - this.#sent.size, waiting: this.#waiting.length };
  }

  /** Queues a call; its result is JSON, or an AppError with a `store_…` code or `write_rejected`. */
  add(name: FunctionName, toArgument: () => JsonText): QueuedCall {
    const call = { name, toArgument, response: Promise.withResolvers<string>(), isAbandoned: false };
    this.#waiting.push(call);
    this.#sendMore();
    return { result: call.response.promise, abandon: () => (call.isAbandoned = true) };
  }

  /** Called with the outcomes of a list. */
  settle(id: number, outcomes: readonly CallOutcome[]): void {
    const calls = this.#sent.get(id) ?? [];
    this.#sent.delete(id);
    for (const [place, { response }] of calls.entries()) {
      const outcome = outcomes[place] ?? { code: "", message: "the database's thread gave no outcome" };
      if ("result" in outcome) response.resolve(outcome.result);
      else response.reject(toStoreFailure(outcome.code, outcome.message));
    }
    this.#sendMore();
  }

  /** Ends the calls that the thread does not have with `error`. */
  refuseWaiting(error: Error): void {
    for (const { response } of this.#waiting.splice(0)) response.reject(error);
  }

  /** Ends all calls with `error`. */
  close(error: Error): void {
    for (const { response } of [...this.#sent.values()].flat()) response.reject(error);
    this.#sent.clear();
    this.refuseWaiting(error);
  }

  #sendMore(): void {
    while (this.#sent.size < maxLists && this.#waiting.length > 0) {
      const calls: WaitingCall[] = [];
      const list: WorkerCall[] = [];
      let characters = 0;
      do {
        const call = this.#waiting.shift();
        const ready = call && toReady(call);
        if (call === undefined || ready === undefined) continue;
        calls.push(call);
        list.push(ready);
        characters += countUnits(ready.argument);
      } while (mayJoin(list, characters, this.#waiting[0]));
      if (calls.length === 0) continue;
      this.#lastId += 1;
      this.#sent.set(this.#lastId, calls);
      this.#send({ id: this.#lastId, calls: list });
    }
  }
}

/** Returns the call with its argument; `undefined` for one that was abandoned, or that has none. */
function toReady({ name, toArgument, response, isAbandoned }: WaitingCall): WorkerCall | undefined {
  if (isAbandoned) return undefined;
  try {
    return { name, argument: toArgument() };
  } catch (error) {
    response.reject(toAppError(error));
    return undefined;
  }
}

function mayJoin(list: readonly WorkerCall[], characters: number, next: WaitingCall | undefined): boolean {
  if (next === undefined || list.length === maxListCalls || characters > maxListCharacters) return false;
  return list.every(({ name }) => joined.has(name)) && joined.has(next.name);
}
