/** A function call as `pg` submits it: time limit and call in one write, one transaction, one round trip. */
import type { Connection, Submittable } from "pg";

/**
 * A call whose time limit holds for its own transaction alone. Both statements are sent unnamed and before
 * one Sync, which makes them one implicit transaction: a pooler keeps them on one server connection,
 * `set_config(…, true)` ends with the transaction, and no session state is left for the connection's next
 * user. A shorter limit set by the role, the database or the URL stays in force.
 */
export class FunctionCall implements Submittable {
  readonly #name: string;
  /** Let go of once it is sent. */
  #argument: string | Buffer;
  readonly #timeoutMs: number;
  readonly #settled = Promise.withResolvers<string>();
  #result: string | undefined;

  /**
   * @param argument JSON, or its bytes.
   * @param timeoutMs whole milliseconds, at least 1.
   */
  constructor(name: string, argument: string | Buffer, timeoutMs: number) {
    this.#name = name;
    this.#argument = argument;
    this.#timeoutMs = timeoutMs;
  }

  /** The function's result as JSON; rejects with the server's error, or that of a lost connection. */
  get result(): Promise<string> {
    return this.#settled.promise;
  }

  submit(connection: Connection): void {
    // Bytes are sent as bytea: as text they would be decoded first, and encoded again.
    const value = typeof this.#argument === "string" ? "$1" : "convert_from($1, 'UTF8')";
    const text = `select public.${this.#name}(${value}::jsonb)::text`;
    connection.stream.cork();
    connection.parse({ name: "", text: toTimeLimit(this.#timeoutMs), types: [] }, true);
    connection.bind({}, true);
    connection.execute({}, true);
    connection.parse({ name: "", text, types: [] }, true);
    connection.bind({ values: [this.#argument] }, true);
    connection.execute({}, true);
    connection.sync();
    this.#argument = "";
    connection.stream.uncork();
  }

  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void {
    this.#result = message.fields[0] ?? undefined;
  }

  handleReadyForQuery(): void {
    this.#settled.resolve(this.#result ?? "null");
  }

  handleError(error: Error): void {
    this.#settled.reject(error);
  }

  /** A statement is done; the result counts once its transaction is committed. */
  handleCommandComplete(): void {}

  handleRowDescription(): void {}
}

function toTimeLimit(timeoutMs: number): string {
  return `select set_config('statement_timeout', '${timeoutMs}', true)
    where current_setting('statement_timeout') = '0'
      or current_setting('statement_timeout')::interval > interval '${timeoutMs} ms'`;
}
