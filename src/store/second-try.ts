/** Which calls may be asked twice, and when: a connection that died without a word answers nothing until the deadline. */
import type { FunctionName } from "./database.ts";
import type { Clock } from "../turn/ports.ts";

/** How long a call waits for its answer until it is asked again on another connection, in milliseconds. */
export const secondTryAfterMs = 1_500;

/**
 * Whether a second call leaves and answers the same as one. Reads do; so do the begin, the progress and the end of a
 * turn, which find their rows by id; a wish to stop, and what is set rather than added. Left out: what counts
 * (`chat_take_requests`), and what tells the first from the second (a conversation made or deleted).
 */
const isRepeatable: Readonly<Record<FunctionName, boolean>> = {
  chat_begin_turn: true,
  chat_end_turn: true,
  chat_save_progress: true,
  chat_read_turn: true,
  chat_find_newest_turn: true,
  chat_read_path: true,
  chat_request_stop: true,
  chat_list_abandoned_turns: true,
  chat_save_messages: true,
  chat_list_conversations: true,
  chat_get_conversation: true,
  chat_create_conversation: false,
  chat_update_conversation: true,
  chat_delete_conversations: false,
  chat_delete_expired: false,
  chat_list_visible_tables: true,
  chat_list_messages: true,
  chat_take_requests: false,
  chat_list_usage: true,
  chat_describe_schema: true,
  chat_try_write: true,
};

/** One of the two tries of a call. */
export interface Try<Answer> {
  readonly answer: Promise<Answer>;
  /** Gives it up. */
  readonly abort: () => void;
}

/** How calls are tried. */
export interface SecondTryOptions<Answer> {
  readonly clock: Clock;
  /** `isSecond`: only a connection that is known to be alive will do. */
  readonly start: (isSecond: boolean) => Try<Answer>;
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

  /** Settles with the first answer; the other try is given up then. */
  async run<Answer>(name: FunctionName, options: SecondTryOptions<Answer>): Promise<Answer> {
    const first = options.start(false);
    if (!isRepeatable[name]) return await first.answer;
    const { clock, isLoss } = options;
    const late = Promise.withResolvers<"late">();
    const timer = clock.after(secondTryAfterMs, () => late.resolve("late"));
    const head = await Promise.race([
      first.answer.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      ),
      late.promise,
    ]);
    timer.cancel();
    if (head !== "late" && "value" in head) return head.value;
    if (head !== "late" && !isLoss(head.error)) throw head.error;
    if (this.#free === 0) return await first.answer;
    this.#free -= 1;
    try {
      return await race(first, options.start(true), head === "late");
    } finally {
      this.#free += 1;
    }
  }
}

async function race<Answer>(first: Try<Answer>, second: Try<Answer>, isFirstOut: boolean): Promise<Answer> {
  if (!isFirstOut) return await second.answer;
  try {
    return await Promise.any([first.answer, second.answer]);
  } catch {
    return await first.answer; // what was wrong with it counts
  } finally {
    first.abort();
    second.abort();
  }
}
