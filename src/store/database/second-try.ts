/** Which calls may be asked twice, and when: a connection that died without a word answers nothing until the deadline. */
import type { Clock } from "../../base/clock.ts";
import { callDeadlineMs, type FunctionName } from "./database.ts";
import { withDeadline } from "./sql-failure.ts";

/** How long a call waits for its answer until it is asked again on another connection, in milliseconds. */
export const secondTryAfterMs = 1_500;

/**
 * Whether a second call leaves and answers the same as one. Reads do; so do `safe` writes: the begin, the progress and the end of a
 * turn, which find their rows by id, a request to stop, and fields that are set. Those are asked again only if there is no
 * answer at all: after a broken connection they go on from the journal. `once`: calls that count, and calls whose second answer would
 * differ (a conversation made or deleted, texts handed out).
 */
const kinds: Readonly<Record<FunctionName, "read" | "safe" | "once">> = {
  chat_begin_turn: "safe",
  chat_end_turn: "safe",
  chat_save_progress: "safe",
  chat_read_turn: "read",
  chat_find_newest_turn: "read",
  chat_read_path: "read",
  chat_request_stop: "safe",
  chat_list_abandoned_turns: "read",
  chat_save_messages: "safe",
  chat_list_conversations: "read",
  chat_get_conversation: "read",
  chat_create_conversation: "once",
  chat_update_conversation: "safe",
  chat_delete_conversations: "once",
  chat_delete_expired: "once",
  chat_list_visible_tables: "read",
  chat_list_messages: "read",
  chat_take_requests: "once",
  chat_list_usage: "read",
  chat_index_texts: "once",
  chat_describe_schema: "read",
  chat_try_write: "safe",
};

/** How calls are tried. */
export interface SecondTryOptions<Result> {
  readonly clock: Clock;
  /**
   * Makes the call. `isSecond`: only a connection that is known to be alive will do. `signal` is aborted when the answer is no longer
   * waited for.
   */
  readonly ask: (isSecond: boolean, signal: AbortSignal) => Promise<Result>;
  /** Whether a failure means that the connection was lost, rather than that the database refused. */
  readonly isLoss: (error: unknown) => boolean;
}

/** Asks a database, and those calls that may be asked twice a second time; a slow database is not asked twice by all at once. */
export class SecondTries {
  #free: number;

  /** @param count how many calls may be out for the second time at once. */
  constructor(count: number) {
    this.#free = count;
  }

  /** Settles with the first answer; gives up the rest. @throws AppError `store_unavailable` if there is none within 5 s. */
  async run<Result>(name: FunctionName, options: SecondTryOptions<Result>): Promise<Result> {
    const controller = new AbortController();
    const work = this.#run(name, options, controller);
    return await withDeadline(options.clock, work, callDeadlineMs, () => controller.abort());
  }

  async #run<Result>(
    name: FunctionName,
    { clock, ask, isLoss }: SecondTryOptions<Result>,
    controller: AbortController,
  ): Promise<Result> {
    const first = ask(false, controller.signal);
    const kind = kinds[name];
    if (kind === "once") return await first;
    const late = Promise.withResolvers<"late">();
    const timer = clock.after(secondTryAfterMs, () => late.resolve("late"));
    const head = await Promise.race([
      first.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      ),
      late.promise,
    ]);
    timer.cancel();
    if (head !== "late" && "value" in head) return head.value;
    if (head !== "late" && (kind !== "read" || !isLoss(head.error))) throw head.error;
    if (this.#free === 0) return await first;
    this.#free -= 1;
    try {
      const second = ask(true, controller.signal);
      if (head !== "late") return await second;
      return await Promise.any([first, second]).catch(() => first); // the first error counts
    } finally {
      controller.abort();
      this.#free += 1;
    }
  }
}
